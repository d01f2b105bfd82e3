// SPDX-License-Identifier: GPL-2.0

//! Running a check and telling what it found.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Result;

use crate::checkout;
use crate::paths::Paths;
use crate::progress::show;
use crate::step::Step;
use crate::versions::{self, Tool, Versions};

/// The checkout that is checked, and what came of it so far.
pub(super) struct Lint<'a> {
    /// Where things are.
    pub(super) paths: &'a Paths,
    versions: &'a Versions,
    files: Vec<PathBuf>,
    sum: Mutex<Sum>,
}

#[derive(Default)]
struct Sum {
    passed: usize,
    failed: usize,
    shown: usize,
}

/// A check by a program.
pub(super) struct Check<'a> {
    /// Names it in the report.
    pub(super) name: &'a str,
    /// Names its log.
    pub(super) log: &'a str,
    /// The tools that its findings depend on.
    pub(super) tools: &'a [Tool],
    /// Tells from its exit code, if it has one, and its output what came of it.
    pub(super) judge: fn(Option<i32>, &str) -> Outcome,
}

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// There is nothing to find.
    Clean,
    /// The check found something to be better, by the rules of its tools.
    Findings,
    /// The checked files are wrong by any rules, or the check did not come to its end.
    Broken,
}

impl<'a> Lint<'a> {
    /// Looks which files there are.
    pub(super) fn new(paths: &'a Paths, versions: &'a Versions) -> Result<Self> {
        Ok(Self {
            paths,
            versions,
            files: checkout::files(&paths.src)?,
            sum: Mutex::default(),
        })
    }

    /// Returns the files of the checkout that are `wanted`, by their paths in it.
    pub(super) fn files(&self, wanted: impl Fn(&Path) -> bool) -> Vec<&PathBuf> {
        self.files.iter().filter(|file| wanted(file)).collect()
    }

    /// Tells whether findings of `tools` are failures: they run in the recorded versions.
    pub(super) fn is_strict(&self, tools: &[Tool]) -> Result<bool> {
        Ok(self.versions.others(tools)?.is_empty())
    }

    /// Runs a check's program in the checkout.
    pub(super) fn run(&self, check: &Check<'_>, command: &mut Command) -> Result<()> {
        let step = Step::new(self.paths, check.name, &format!("lint-{}", check.log));
        let status = step.exit(command.current_dir(&self.paths.src))?;
        let log = fs::read_to_string(step.log())?;
        let outcome = (check.judge)(status.code(), &log);
        self.report(check.name, check.tools, outcome, &log)
    }

    /// Counts the check `name` and shows its `log`, unless it is clean. Findings of `tools` in
    /// other versions than the recorded ones count neither way.
    pub(super) fn report(
        &self,
        name: &str,
        tools: &[Tool],
        outcome: Outcome,
        log: &str,
    ) -> Result<()> {
        let others = self.versions.others(tools)?;
        let mut sum = self.sum();
        match outcome {
            Outcome::Clean => {
                sum.passed += 1;
                show(&format!("ok   {name}"));
            }
            Outcome::Findings if !others.is_empty() => {
                sum.shown += 1;
                let others = versions::list(&others);
                show(&format!(
                    "note {name}: findings of {others}; not counted\n{log}"
                ));
            }
            Outcome::Findings | Outcome::Broken => {
                sum.failed += 1;
                show(&format!("FAIL {name}\n{log}"));
            }
        }
        Ok(())
    }

    /// Tells whether nothing at all was found so far.
    pub(super) fn is_clean(&self) -> bool {
        let sum = self.sum();
        sum.failed == 0 && sum.shown == 0
    }

    /// Prints the sum and gives the exit status.
    pub(super) fn close(&self) -> ExitCode {
        let sum = self.sum();
        let shown = match sum.shown {
            0 => String::new(),
            shown => format!(", {shown} with findings of other versions"),
        };
        show(&format!(
            "{} checks passed, {} failed{shown}",
            sum.passed, sum.failed
        ));
        match sum.failed {
            0 => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        }
    }

    fn sum(&self) -> MutexGuard<'_, Sum> {
        self.sum.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Judges a compiler whose warnings are findings, and errors are not.
pub(super) fn by_warnings(code: Option<i32>, log: &str) -> Outcome {
    let warns = log
        .lines()
        .any(|line| line.starts_with("warning:") || line.contains(": warning:"));
    match code {
        Some(0) if warns => Outcome::Findings,
        Some(0) => Outcome::Clean,
        _ => Outcome::Broken,
    }
}

/// Judges a program that fails when what it was to do cannot be done.
pub(super) fn by_success(code: Option<i32>, _: &str) -> Outcome {
    match code {
        Some(0) => Outcome::Clean,
        _ => Outcome::Broken,
    }
}
