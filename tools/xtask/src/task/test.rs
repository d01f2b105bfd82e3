// SPDX-License-Identifier: GPL-2.0

//! `make test`: every suite of ours, or one of all.

use std::process::ExitCode;
use std::thread;

use anyhow::{Result, anyhow};

use crate::interrupt::Interrupted;
use crate::kernel::{self, Flavour};
use crate::paths::Paths;
use crate::report::Report;
use crate::suite;
use crate::versions::Versions;
use crate::versions::green::{Run, Whole};

/// Runs the suites and prints the sum, whatever happens.
pub(crate) fn test(paths: &Paths, only: Option<&str>) -> Result<ExitCode> {
    // No suite of the crates' needs a kernel; where there is no source, the suites say why.
    let tree = match only {
        Some(suite::cargo::NAME) => None,
        _ => kernel::tree(paths).ok(),
    };
    let versions = Versions::find(paths, tree.as_ref().map(|tree| tree.version.as_str()))?;
    versions.show()?;
    let mut report = Report::default();
    match only {
        Some(suite::cargo::NAME) => settle(&mut report, suite::cargo::NAME, |report| {
            suite::cargo::run(paths, report)
        })?,
        Some(suite::kunit::NAME) => settle(&mut report, suite::kunit::NAME, |report| {
            suite::kunit::run(paths, report, |_| ())
        })?,
        Some(guest) => settle(&mut report, guest, |report| {
            suite::guest::run(paths, report, Some(guest))
        })?,
        None => {
            let run = Run::begin(paths, Whole::Test, &versions)?;
            all(paths, &mut report)?;
            if report.is_green() && paths.is_plain() {
                run.keep()?;
            }
        }
    }
    if !report.is_green() {
        versions.suspect()?;
    }
    Ok(report.close())
}

fn all(paths: &Paths, report: &mut Report) -> Result<()> {
    // The crates' tests do not wait for the kernel.
    let kernel = thread::scope(|scope| {
        let kernel =
            scope.spawn(|| kernel::ensure(paths, paths.options.flavour(Flavour::Debug)).map(drop));
        settle(report, suite::cargo::NAME, |report| {
            suite::cargo::run(paths, report)
        })?;
        kernel
            .join()
            .map_err(|_| anyhow!("building the kernel panicked"))
    })?;
    let mut there = false;
    settle(report, "kernel", |_| {
        kernel?;
        there = true;
        Ok(())
    })?;
    if !there {
        return Ok(());
    }
    settle(report, suite::kunit::NAME, |report| {
        suite::kunit::run(paths, report, |_| ())
    })?;
    settle(report, "guest", |report| {
        suite::guest::run(paths, report, None)
    })
}

/// Runs `suite`; one that cannot run is a failed test, and no reason to leave
/// the next one out.
fn settle(
    report: &mut Report,
    name: &str,
    suite: impl FnOnce(&mut Report) -> Result<()>,
) -> Result<()> {
    match suite(report) {
        Err(error) if error.is::<Interrupted>() => Err(error),
        Err(error) => {
            report.fail(name, "set-up", &format!("{error:#}"));
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}
