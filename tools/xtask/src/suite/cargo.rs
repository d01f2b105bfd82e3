// SPDX-License-Identifier: GPL-2.0

//! The crates' own tests.

mod libtest;

use std::fs::File;
use std::process::{Command, Stdio};

use anyhow::Result;

use self::libtest::Parser;
use crate::child::{Child, Group};
use crate::follow::Follow;
use crate::ktap::Verdict;
use crate::lock::Lock;
use crate::paths::{Paths, tail};
use crate::progress::Progress;
use crate::report::Report;

/// The suite's name.
pub(crate) const NAME: &str = "cargo";

const SHOWN: usize = 40;

/// Runs the tests of every crate of the workspace.
pub(crate) fn run(paths: &Paths, report: &mut Report) -> Result<()> {
    let _lock = Lock::exclusive(&paths.cache.join("lock/cargo-test"))?;
    let path = paths.log("cargo-test");
    let log = File::create(&path)?;
    let mut cargo = Command::new("cargo");
    cargo
        .args(["test", "--workspace", "--locked", "--no-fail-fast"])
        .args(["--color", "never"])
        .current_dir(&paths.src)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    let mut child = Child::spawn(&mut cargo, Group::Own)?;
    let mut progress = Progress::begin("cargo tests", 0);
    let mut follow = Follow::new(path.clone());
    let mut parser = Parser::default();
    let mut failed = false;
    let mut take = |results: Vec<libtest::Result>| {
        for result in results {
            match result.verdict {
                Verdict::Pass => report.pass(NAME, &result.name),
                Verdict::Skip => report.skip(NAME, &result.name),
                Verdict::Fail => {
                    failed = true;
                    report.fail(NAME, &result.name, &result.said);
                }
            }
        }
        Ok(())
    };
    let status = child.wait(None, || {
        progress.at(0);
        follow.each(|line| take(parser.line(line)))
    })?;
    follow.rest(|line| take(parser.line(line)))?;
    take(parser.finish())?;
    drop(progress);
    if !failed && !status.is_some_and(|status| status.success()) {
        report.fail(NAME, "build", &tail(&path, SHOWN));
    }
    Ok(())
}
