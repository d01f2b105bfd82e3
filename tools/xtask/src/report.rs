// SPDX-License-Identifier: GPL-2.0

//! A line for every test, and the sum.

use std::process::ExitCode;

use crate::klog::Splat;
use crate::progress::show;

/// Counts tests and prints them as they come.
#[derive(Default)]
pub(crate) struct Report {
    passed: usize,
    failed: usize,
    terse: bool,
}

impl Report {
    /// A report that prints failures only: the rest is shown otherwise.
    pub(crate) fn terse() -> Self {
        Self {
            terse: true,
            ..Self::default()
        }
    }

    /// A test that passed.
    pub(crate) fn pass(&mut self, suite: &str, name: &str) {
        self.passed += 1;
        if !self.terse {
            show(&format!("ok   {suite}: {name}"));
        }
    }

    /// A test that failed, and what is known about it.
    pub(crate) fn fail(&mut self, suite: &str, name: &str, why: &str) {
        self.failed += 1;
        show(&format!("FAIL {suite}: {name}"));
        for line in why.lines() {
            show(&format!("     {line}"));
        }
    }

    /// A test that does not apply here; it counts neither way.
    pub(crate) fn skip(&mut self, suite: &str, name: &str) {
        if !self.terse {
            show(&format!("skip {suite}: {name}"));
        }
    }

    /// What a kernel said during a suite: any complaint fails it.
    pub(crate) fn kernel_log<'a>(&mut self, suite: &str, splats: impl Iterator<Item = &'a Splat>) {
        for splat in splats {
            self.fail(suite, &format!("kernel log: {}", splat.title), &splat.text);
        }
    }

    /// Tells whether there were tests, and none failed.
    pub(crate) fn is_green(&self) -> bool {
        self.failed == 0 && self.passed > 0
    }

    /// Prints the sum and gives the exit status.
    pub(crate) fn close(&self) -> ExitCode {
        show(&format!("{} passed, {} failed", self.passed, self.failed));
        match self.is_green() {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        }
    }
}
