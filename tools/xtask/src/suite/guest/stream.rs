// SPDX-License-Identifier: GPL-2.0

//! The output of a job that runs suites, turned into results as it comes.

use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use anyhow::Result;

use super::plan::Assignment;
use super::{Form, RELOAD, kernel_tests};
use crate::klog;
use crate::ktap::{self, Parser, Verdict};
use crate::report::Report;

/// Marks the beginning of a suite, in the job's output and the kernel's log.
const BEGIN: &str = "@suite ";
/// Marks its end.
const END: &str = "@status ";

/// The job that runs the suites one after the other.
pub(super) fn script(guest: &Assignment, form: Form) -> Result<String> {
    let mut script = String::new();
    let options = match form {
        Form::Short => "",
        Form::Long => "--long ",
    };
    let limit = guest.machine.limit.as_secs();
    for suite in &guest.suites {
        let command = match suite.as_str() {
            RELOAD => "reload-test".to_owned(),
            suite => kernel_tests::command(suite)
                .unwrap_or_else(|| format!("guest-tests {options}{suite}")),
        };
        writeln!(script, "echo '{BEGIN}{suite}' >/dev/kmsg")?;
        writeln!(script, "echo '{BEGIN}{suite}'")?;
        writeln!(script, "timeout -s KILL {limit} {command}")?;
        writeln!(script, "echo \"{END}$?\"")?;
    }
    Ok(script)
}

/// The suite that ran when line `at` of the kernel's log was written.
pub(super) fn suite_at(log: &str, at: usize) -> &str {
    log.lines()
        .take(at)
        .filter_map(|line| klog::message(line).strip_prefix(BEGIN))
        .last()
        .unwrap_or("boot")
}

struct Current {
    suite: String,
    parser: Parser,
    failed: bool,
}

/// The suites of one guest, whose results go to a report that others use too.
pub(super) struct Stream<'a, 'r> {
    guest: &'a Assignment,
    report: &'a Mutex<&'r mut Report>,
    current: Option<Current>,
    ended: Vec<String>,
}

impl<'a, 'r> Stream<'a, 'r> {
    /// Nothing has come yet.
    pub(super) fn new(guest: &'a Assignment, report: &'a Mutex<&'r mut Report>) -> Self {
        Self {
            guest,
            report,
            current: None,
            ended: vec![],
        }
    }

    /// Takes a line of the job's output.
    pub(super) fn line(&mut self, line: &str) {
        if let Some(suite) = line.strip_prefix(BEGIN) {
            self.current = Some(Current {
                suite: suite.to_owned(),
                parser: Parser::default(),
                failed: false,
            });
        } else if let Some(status) = line.strip_prefix(END) {
            let why = format!("the suite ended with status {status}");
            self.end((status != "0").then_some(&why));
        } else if let Some(mut current) = self.current.take() {
            let results = current.parser.line(line);
            self.report(&mut current, results);
            self.current = Some(current);
        }
    }

    /// Ends with the job; gives the suites that have ended before.
    pub(super) fn finish(mut self) -> Vec<String> {
        self.end(Some("the guest ended in the middle of it"));
        self.ended
    }

    /// Ends the suite that runs, if one does. It may have ended badly without
    /// a failed test to show for it.
    fn end(&mut self, badly: Option<&str>) {
        let Some(mut current) = self.current.take() else {
            return;
        };
        let results = current.parser.finish();
        self.report(&mut current, results);
        if let Some(why) = badly.filter(|_| !current.failed) {
            let name = self.guest.name(&current.suite);
            self.report
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .fail(&name, "exit status", why);
        }
        self.ended.push(current.suite);
    }

    fn report(&self, current: &mut Current, results: Vec<ktap::Result>) {
        current.failed |= results.iter().any(|result| result.verdict == Verdict::Fail);
        let mut report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
        crate::suite::report(&mut report, &self.guest.name(&current.suite), results);
    }
}
