// SPDX-License-Identifier: GPL-2.0

//! The suites that run in guests: on the debug kernel, unless the caller chose the other.

mod kernel_tests;
mod plan;
mod stream;

use std::collections::VecDeque;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::thread::{self, available_parallelism};

use anyhow::{Context, Result, anyhow, ensure};

use self::plan::{Assignment, plan};
use self::stream::Stream;
use crate::guest::{Guest, Job, Terminal};
use crate::kernel::Flavour;
use crate::paths::Paths;
use crate::report::Report;

/// The suite that loads and unloads the module under the leak checker. It
/// comes last, so that it sees what the others have leaked.
const RELOAD: &str = "reload";

/// How long the tests of a suite are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// As short as they find what is to be found every day.
    Short,
    /// As long as it takes to find the rest.
    Long,
}

/// Runs every suite in its guests, or those that `only` names.
pub(crate) fn run(paths: &Paths, report: &mut Report, only: Option<&str>) -> Result<()> {
    let prepare = |flavour| {
        Guest::prepare_with(
            paths,
            flavour,
            |kernel, bin| match kernel_tests::are_chosen(only) {
                true => kernel_tests::stage(paths, kernel, bin),
                false => Ok(()),
            },
        )
    };
    let guest = prepare(paths.options.flavour(Flavour::Debug))?;
    let plan = plan(&list(&guest)?, only)?;
    all(&guest, plan, Form::Short, report)?;
    let plain = plan::plain(only);
    if plain.is_empty() {
        return Ok(());
    }
    all(&prepare(Flavour::Plain)?, plain, Form::Short, report)
}

/// Runs the suites that have a long form in that, or the one that `only` names.
pub(crate) fn stress(paths: &Paths, report: &mut Report, only: Option<&str>) -> Result<()> {
    let guest = Guest::prepare(paths, paths.options.flavour(Flavour::Debug))?;
    all(&guest, vec![plan::stress(only)?], Form::Long, report)
}

/// Runs what was planned, several guests at once.
fn all(guest: &Guest, plan: Vec<Assignment>, form: Form, report: &mut Report) -> Result<()> {
    let workers = at_once().min(plan.len());
    let left = Mutex::new(VecDeque::from(plan));
    let report = Mutex::new(report);
    let next = || {
        left.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    };
    thread::scope(|scope| {
        let work = || {
            while let Some(assignment) = next() {
                one(guest, &assignment, form, &report)?;
            }
            Ok(())
        };
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        // All have to end before one's error is told.
        let results: Vec<Result<()>> = workers
            .into_iter()
            .map(|worker| {
                worker
                    .join()
                    .unwrap_or_else(|_| Err(anyhow!("running a guest panicked")))
            })
            .collect();
        results.into_iter().collect()
    })
}

/// How many guests run at once. Most suites keep one CPU of a guest busy, and
/// its device little more.
fn at_once() -> usize {
    available_parallelism().map_or(1, |cpus| cpus.get().clamp(1, 4))
}

/// Boots one guest and runs its suites.
fn one(
    guest: &Guest,
    assignment: &Assignment,
    form: Form,
    report: &Mutex<&mut Report>,
) -> Result<()> {
    let machine = &assignment.machine;
    let name = match (form, machine.is_default()) {
        (Form::Long, _) => "stress".to_owned(),
        (Form::Short, true) => "test".to_owned(),
        (Form::Short, false) => format!("test-{}", machine.name),
    };
    let mut stream = Stream::new(assignment, report);
    let outcome = guest.run(
        &Job {
            name: &name,
            machine,
            script: &stream::script(assignment, form)?,
            limit: Some(machine.limit * u32::try_from(assignment.suites.len())?),
            terminal: Terminal::None,
            log: false,
        },
        |line| {
            stream.line(line);
            Ok(())
        },
    )?;
    let ended = stream.finish();

    let mut report = report.lock().unwrap_or_else(PoisonError::into_inner);
    for splat in &outcome.splats {
        let suite = stream::suite_at(&outcome.console, splat.at);
        if kernel_tests::is_provoked(suite, &splat.title) {
            continue;
        }
        report.kernel_log(&assignment.name(suite), [splat].into_iter());
    }
    let why = match outcome.status {
        Ok(_) => "the guest did not run it".to_owned(),
        Err(error) => format!("{error:#}"),
    };
    for suite in assignment
        .suites
        .iter()
        .filter(|suite| !ended.contains(suite))
    {
        report.fail(&assignment.name(suite), "whole suite", &why);
    }
    Ok(())
}

/// The names of the suites in the test program.
fn list(guest: &Guest) -> Result<Vec<String>> {
    let program = guest.run.path().join("bin/guest-tests");
    let output = Command::new(&program)
        .arg("--list")
        .output()
        .with_context(|| format!("cannot run {}", program.display()))?;
    ensure!(
        output.status.success(),
        "guest-tests --list failed: {}",
        output.status
    );
    Ok(String::from_utf8(output.stdout)?
        .lines()
        .map(str::to_owned)
        .collect())
}
