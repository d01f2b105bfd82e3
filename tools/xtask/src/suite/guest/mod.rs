// SPDX-License-Identifier: GPL-2.0

//! The suites that run in guests: on the debug kernel, unless the caller chose the other.

mod assignment;
mod c_driver;
mod kernel_tests;
mod machines;
mod plan;
mod queue;
mod stream;
mod times;
mod worker;

use std::process::Command;
use std::thread::available_parallelism;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use suite_spec::Need;

use self::assignment::Assignment;
use self::plan::Plan;
use self::queue::Queue;
use self::times::Times;
use self::worker::Worker;
use super::Choice;
use crate::crates;
use crate::guest::{self, Guest, RunDir};
use crate::kernel::{Flavour, Kernel};
use crate::paths::Paths;
use crate::report::Report;

/// The suite that loads and unloads the module many times.
const RELOAD: &str = "reload";

/// The scan for leaks at the end of a boot.
const LEAKS: &str = "leaks";

/// How long the tests of a suite are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// As short as they find what is to be found every day.
    Short,
    /// As long as it takes to find the rest.
    Long,
}

/// The chosen guests.
pub(crate) struct Chosen {
    /// On the debug kernel.
    pub(crate) debug: Suites,
    /// On the plain one.
    pub(crate) plain: Suites,
}

/// Suites that run in guests of one kernel.
pub(crate) struct Suites {
    guests: Vec<Assignment>,
    form: Form,
    /// The only test to run of each.
    test: Option<String>,
    /// For how long, where a test may run for any time.
    time: Option<Duration>,
}

/// Looks names up, in what the test program declares.
pub(crate) fn choose(paths: &Paths, choice: &Choice) -> Result<Chosen> {
    let mut guests = vec![];
    if choice.is_all() || !choice.names().all(plan::has_no_guest) {
        let program = TestProgram::build(paths)?;
        guests = program.plan()?.choose(choice)?;
        if let Some(test) = choice.test.as_ref().filter(|_| !guests.is_empty()) {
            guests = plan::with_test(guests, &program.tests()?, test)?;
        }
    }
    let suites = |guests| Suites {
        guests,
        form: Form::Short,
        test: choice.test.clone(),
        time: None,
    };
    Ok(Chosen {
        debug: suites(guests),
        plain: suites(plan::plain(choice)),
    })
}

/// As [`choose()`], for the suites that have a long form, or for the one that runs for a time.
pub(crate) fn choose_long(
    paths: &Paths,
    choice: &Choice,
    time: Option<Duration>,
) -> Result<Suites> {
    ensure!(
        time.is_none() || choice.is_all(),
        "TIME= is for everything at once, and SUITE= for one suite after the other"
    );
    let plan = TestProgram::build(paths)?.plan()?;
    let guests = match time {
        None => plan.stress(choice)?,
        Some(time) => plan.soak(time)?,
    };
    Ok(Suites {
        guests,
        form: Form::Long,
        test: None,
        time,
    })
}

impl Suites {
    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.guests.is_empty()
    }

    /// Builds what their guests need.
    pub(crate) fn prepare(self, paths: &Paths, flavour: Flavour) -> Result<Guests> {
        let stages = self.guests.iter().flat_map(|guest| &guest.stages);
        let suites: Vec<_> = stages.flat_map(|stage| &stage.suites).collect();
        let guest = Guest::prepare_with(paths, flavour, |kernel, bin| {
            if suites.iter().any(|suite| is_kernels_own(&suite.name)) {
                kernel_tests::stage(paths, kernel, bin)?;
            }
            if suites.iter().any(|suite| suite.name == c_driver::NAME) {
                c_driver::stage(paths, kernel, bin)?;
            }
            if suites.iter().any(|suite| suite.needs(Need::OtherPrograms)) {
                let run = bin.parent().context("the folder of a run")?;
                guest::stage_others(run)?;
            }
            Ok(())
        })?;
        let times = Times::read(&paths.cache, flavour.name());
        Ok(Guests {
            queue: Queue::new(self.guests, |label| times.of(label)),
            guest,
            times,
            form: self.form,
            test: self.test,
            time: self.time,
        })
    }
}

/// Suites whose guests can boot.
pub(crate) struct Guests {
    guest: Guest,
    queue: Queue,
    times: Times,
    form: Form,
    test: Option<String>,
    time: Option<Duration>,
}

impl Guests {
    /// Runs suites until none is left. Several threads may do so at once.
    pub(crate) fn work(&self, report: &Report) -> Result<()> {
        let worker = Worker {
            guest: &self.guest,
            queue: &self.queue,
            times: &self.times,
            report,
            form: self.form,
            test: self.test.as_deref(),
            time: self.time,
        };
        worker.work()
    }
}

/// The name of what runs guests that do not count instructions.
pub(crate) fn accelerator(paths: &Paths, kernel: &Kernel) -> Result<&'static str> {
    Ok(guest::choose_accel(paths, kernel)?.name())
}

/// How many guests run at once. Most suites keep one CPU of a guest busy, and
/// its device little more.
pub(crate) fn at_once() -> usize {
    available_parallelism().map_or(1, |cpus| cpus.get().clamp(1, 4))
}

/// Whether a suite is one of the kernel's own.
pub(crate) fn is_kernels_own(suite: &str) -> bool {
    kernel_tests::command(suite).is_some()
}

/// The test program, which tells on this side which suites and tests it has.
struct TestProgram(RunDir);

impl TestProgram {
    /// Builds it.
    fn build(paths: &Paths) -> Result<Self> {
        let run = RunDir::new(paths)?;
        crates::build_tests(paths, run.path())?;
        Ok(Self(run))
    }

    /// Matches its suites with guests.
    fn plan(&self) -> Result<Plan> {
        Plan::new(suite_spec::read(&self.ask("--list")?)?)
    }

    /// Returns its tests, each as `SUITE.TEST`.
    fn tests(&self) -> Result<Vec<String>> {
        let listed = self.ask("--list-tests")?;
        Ok(listed.lines().map(str::to_owned).collect())
    }

    fn ask(&self, option: &str) -> Result<String> {
        let program = self.0.path().join(crates::TESTS);
        let output = Command::new(&program)
            .arg(option)
            .output()
            .with_context(|| format!("cannot run {}", program.display()))?;
        ensure!(
            output.status.success(),
            "{} {option} failed: {}",
            crates::TESTS,
            output.status
        );
        Ok(String::from_utf8(output.stdout)?)
    }
}
