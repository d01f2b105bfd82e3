// SPDX-License-Identifier: GPL-2.0

//! Running a check and telling what it found.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Result;

use super::files;
use crate::paths::Paths;
use crate::progress::show;
use crate::step::Step;

/// The checkout that is checked, and what came of it so far.
pub(super) struct Lint<'a> {
    /// Where things are.
    pub(super) paths: &'a Paths,
    files: Vec<PathBuf>,
    sum: Mutex<Sum>,
}

#[derive(Default)]
struct Sum {
    passed: usize,
    failed: usize,
}

impl<'a> Lint<'a> {
    /// Looks which files there are.
    pub(super) fn new(paths: &'a Paths) -> Result<Self> {
        Ok(Self {
            paths,
            files: files::all(&paths.src)?,
            sum: Mutex::default(),
        })
    }

    /// Returns the files of the checkout that are `wanted`, by their paths in it.
    pub(super) fn files(&self, wanted: impl Fn(&Path) -> bool) -> Vec<&PathBuf> {
        self.files.iter().filter(|file| wanted(file)).collect()
    }

    /// Runs a program in the checkout that succeeds when all is well and says what is not. `log`
    /// names its log.
    pub(super) fn run(&self, name: &str, log: &str, command: &mut Command) -> Result<()> {
        let step = Step::new(self.paths, name, &format!("lint-{log}"));
        let complaint = match step.status(command.current_dir(&self.paths.src))? {
            true => None,
            false => Some(fs::read_to_string(step.log())?),
        };
        self.report(name, complaint);
        Ok(())
    }

    /// Counts a check and shows its complaint, if there is one.
    pub(super) fn report(&self, name: &str, complaint: Option<String>) {
        let mut sum = self.sum();
        match complaint {
            None => {
                sum.passed += 1;
                show(&format!("ok   {name}"));
            }
            Some(text) => {
                sum.failed += 1;
                show(&format!("FAIL {name}\n{text}"));
            }
        }
    }

    /// Prints the sum and gives the exit status.
    pub(super) fn close(&self) -> ExitCode {
        let sum = self.sum();
        show(&format!(
            "{} checks passed, {} failed",
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
