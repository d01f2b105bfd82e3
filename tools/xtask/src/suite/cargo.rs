// SPDX-License-Identifier: GPL-2.0

//! The crates' own tests.

mod libtest;

use std::fs::File;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

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

/// How long cargo and the tests may say nothing: the longest of either is a fraction of it, beside
/// a kernel's build, too.
const SILENCE: Duration = Duration::from_secs(1200);
const POLL: Duration = Duration::from_secs(1);
const SHOWN: usize = 40;

/// Runs the tests of every crate of the workspace, or those with `only` in their names.
pub(crate) fn run(paths: &Paths, report: &Report, only: Option<&str>) -> Result<()> {
    let _lock = Lock::exclusive(&paths.cache.join("lock/cargo-test"))?;
    let start = Instant::now();
    let path = paths.log("cargo-test");
    let log = File::create(&path)?;
    let mut cargo = Command::new("cargo");
    cargo
        .args(["test", "--workspace", "--locked", "--no-fail-fast"])
        .args(["--color", "never"])
        .args(only.map(|only| ["--", only]).iter().flatten())
        .current_dir(&paths.src)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    let mut child = Child::spawn(&mut cargo, Group::Own)?;
    let mut progress = Progress::begin("cargo tests", 0);
    let mut follow = Follow::new(path.clone());
    let mut parser = Parser::default();
    let (mut results, mut failed) = (0, false);
    let mut take = |found: Vec<libtest::Result>| {
        for result in found {
            results += 1;
            failed |= result.verdict == Verdict::Fail;
            report.test(NAME, result, None);
        }
    };
    let mut heard = Instant::now();
    let status = loop {
        let status = child.wait(Some(Instant::now() + POLL), || {
            progress.at(0);
            follow.each(|line| {
                heard = Instant::now();
                take(parser.line(line));
                Ok(())
            })
        })?;
        if status.is_some() || heard.elapsed() >= SILENCE {
            break status;
        }
    };
    drop(child);
    follow.rest(|line| {
        take(parser.line(line));
        Ok(())
    })?;
    take(parser.finish());
    drop(progress);
    report.suite_took(NAME, start.elapsed());
    match status {
        None => {
            let silence = format!("hangs: said nothing for {} s", SILENCE.as_secs());
            report.fail(NAME, &silence, &tail(&path, SHOWN));
        }
        Some(status) if !failed && !status.success() => {
            report.fail(NAME, "build", &tail(&path, SHOWN));
        }
        Some(_) => {}
    }
    match only {
        Some(only) if results == 0 && status.is_some_and(|status| status.success()) => {
            none(paths, only)
        }
        _ => Ok(()),
    }
}

/// The error that no test has `only` in its name, with the names that there are.
fn none(paths: &Paths, only: &str) -> Result<()> {
    let listed = Command::new("cargo")
        .args(["test", "--workspace", "--locked", "--quiet", "--", "--list"])
        .current_dir(&paths.src)
        .output()?;
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let tests = listed
        .lines()
        .filter_map(|line| line.strip_suffix(": test"));
    let tests: Vec<_> = tests.collect();
    ensure!(
        tests.iter().any(|test| test.contains(only)),
        "there is no test {only} of the crates; there are {}",
        tests.join(", ")
    );
    Ok(())
}
