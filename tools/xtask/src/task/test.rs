// SPDX-License-Identifier: GPL-2.0

//! `make test`: every suite of ours, or some of all.

use std::process::ExitCode;
use std::thread::{self, ScopedJoinHandle};

use anyhow::{Result, anyhow};

use crate::interrupt::Interrupted;
use crate::kernel::{self, Flavour};
use crate::paths::Paths;
use crate::report::{Manner, Report};
use crate::suite::guest::{self, Chosen, Guests};
use crate::suite::kunit::Filter;
use crate::suite::{Choice, cargo, kunit};
use crate::versions::Versions;
use crate::versions::green::{Run, Whole};

/// The report's file, below out/.
const FILE: &str = "test.json";

/// Runs the suites and prints the sum, whatever happens. A name that is none is told before
/// anything is built.
pub(crate) fn test(paths: &Paths, choice: &Choice) -> Result<ExitCode> {
    let chosen = Suites::choose(paths, choice)?;
    // The crates' tests need no kernel; where there is no source, the suites say why.
    let tree = chosen.need_kernel().then(|| kernel::tree(paths).ok());
    let version = tree.flatten().map(|tree| tree.version);
    let versions = Versions::find(paths, version.as_deref())?;
    versions.show()?;
    let report = Report::new(Manner {
        fail_fast: choice.fail_fast,
        // A kernel of the caller's may lack what tests need: they are skipped, which is no failure.
        whole: choice.is_all() && !choice.fail_fast && paths.is_plain(),
        ..Manner::default()
    });
    report.fact("versions", versions.json());
    report.suspect(versions.suspects()?);
    let whole = choice
        .is_all()
        .then(|| Run::begin(paths, Whole::Test, &versions));
    let whole = whole.transpose()?;
    report.unless_stopped(chosen.run(paths, &report))?;
    report.end();
    if let Some(whole) = whole.filter(|_| report.is_green() && paths.is_plain()) {
        whole.keep()?;
    }
    report.close(Some(&paths.out().join(FILE)))
}

/// The chosen suites of all kinds.
struct Suites {
    /// The tests of the crates, of which there may be a name.
    cargo: Option<Option<String>>,
    kunit: Option<Filter>,
    guests: Chosen,
}

impl Suites {
    fn choose(paths: &Paths, choice: &Choice) -> Result<Self> {
        let chosen = |name| choice.is_all() || choice.has(name);
        let kunit = chosen(kunit::NAME).then(|| Filter::of(paths, choice.test.as_deref()));
        Ok(Self {
            cargo: chosen(cargo::NAME).then(|| choice.test.clone()),
            kunit: kunit.transpose()?,
            guests: guest::choose(paths, choice)?,
        })
    }

    fn need_kernel(&self) -> bool {
        self.kunit.is_some() || !self.guests.debug.is_empty()
    }

    /// Runs all of it, as many things at once as there are workers. Those that begin with the
    /// crates or with KUnit go on with guests.
    fn run(self, paths: &Paths, report: &Report) -> Result<()> {
        let needs_kernel = self.need_kernel();
        let flavour = paths.options.flavour(Flavour::Debug);
        let Chosen { debug, plain } = self.guests;
        thread::scope(|scope| {
            let mut jobs = vec![];
            if let Some(only) = self.cargo {
                // The crates' tests do not wait for the kernel.
                jobs.push(scope.spawn(move || {
                    let run = || cargo::run(paths, report, only.as_deref());
                    settle(report, cargo::NAME, run).map(drop)
                }));
            }
            if !needs_kernel {
                return join(jobs);
            }
            let Some(kernel) = settle(report, "kernel", || kernel::ensure(paths, flavour))? else {
                return join(jobs);
            };
            report.fact(
                "kernel",
                format!("{} {}", kernel.title(), kernel.release()?),
            );
            report.fact("accelerator", guest::accelerator(paths, &kernel)?);
            drop(kernel);
            if let Some(filter) = self.kunit {
                jobs.push(scope.spawn(move || {
                    let run = || kunit::run(paths, report, &filter, |_| ());
                    settle(report, kunit::NAME, run).map(drop)
                }));
            }
            if debug.is_empty() {
                return join(jobs);
            }
            match settle(report, "guest", || debug.prepare(paths, flavour))? {
                Some(guests) => work(&guests, report, jobs),
                None => join(jobs),
            }
        })?;
        if plain.is_empty() {
            return Ok(());
        }
        match settle(report, "guest", || plain.prepare(paths, Flavour::Plain))? {
            Some(guests) => work(&guests, report, vec![]),
            None => Ok(()),
        }
    }
}

/// A suite that runs beside others.
type Job<'scope> = ScopedJoinHandle<'scope, Result<()>>;

/// Runs guests by as many workers as there are to be, each of which waits for its share of the
/// jobs before.
fn work(guests: &Guests, report: &Report, jobs: Vec<Job<'_>>) -> Result<()> {
    let count = guest::at_once();
    let mut shares: Vec<_> = (0..count).map(|_| vec![]).collect();
    for (at, job) in jobs.into_iter().enumerate() {
        shares[at % count].push(job);
    }
    thread::scope(|scope| {
        let work = |share| join(share).and_then(|()| guests.work(report));
        let shares = shares.into_iter();
        join(
            shares
                .map(|share| scope.spawn(move || work(share)))
                .collect(),
        )
    })
}

/// Waits for all of the jobs, before it tells the error of one.
fn join(jobs: Vec<Job<'_>>) -> Result<()> {
    let results: Vec<_> = jobs
        .into_iter()
        .map(|job| {
            job.join()
                .unwrap_or_else(|_| Err(anyhow!("a suite panicked")))
        })
        .collect();
    results.into_iter().collect()
}

/// Runs something; if it cannot, that is a failed test, and no reason to leave the rest out.
fn settle<T>(report: &Report, name: &str, run: impl FnOnce() -> Result<T>) -> Result<Option<T>> {
    match run() {
        Err(error) if error.is::<Interrupted>() => Err(error),
        Err(error) => {
            report.fail(name, "set-up", &format!("{error:#}"));
            Ok(None)
        }
        Ok(done) => Ok(Some(done)),
    }
}
