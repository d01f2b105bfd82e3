// SPDX-License-Identifier: GPL-2.0

//! The suites that run in a guest, on the debug kernel. One guest runs them
//! all.

use std::fmt::Write as _;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::guest::{Guest, Job, Terminal};
use crate::kernel::Flavour;
use crate::klog;
use crate::ktap::{Parser, Verdict};
use crate::paths::Paths;
use crate::report::Report;

/// The suite that loads and unloads the module under the leak checker. It
/// comes last, so that it sees what the others have leaked.
const RELOAD: &str = "reload";

/// How long one suite may take.
const LIMIT: Duration = Duration::from_secs(600);

/// Marks the beginning of a suite, in the job's output and the kernel's log.
const BEGIN: &str = "@suite ";
/// Marks its end.
const END: &str = "@status ";

/// Runs every suite, or the one named.
pub(crate) fn run(paths: &Paths, report: &mut Report, only: Option<&str>) -> Result<()> {
    let guest = Guest::prepare(paths, Flavour::Debug)?;
    let mut suites = list(&guest)?;
    suites.push(RELOAD.to_owned());
    if let Some(only) = only {
        ensure!(
            suites.iter().any(|suite| suite == only),
            "there is no suite {only}; there are cargo, kunit, {}",
            suites.join(", ")
        );
        suites.retain(|suite| suite == only);
    }

    let mut run = Run {
        report,
        current: None,
        ended: vec![],
    };
    let limit = LIMIT * u32::try_from(suites.len())?;
    let outcome = guest.run(
        &Job {
            name: "test",
            script: &script(&suites)?,
            limit: Some(limit),
            terminal: Terminal::None,
            log: false,
        },
        |line| {
            run.line(line);
            Ok(())
        },
    )?;
    run.end(Some("the guest ended in the middle of it"));
    let ended = run.ended;

    for splat in &outcome.splats {
        report.kernel_log(suite_at(&outcome.console, splat.at), [splat].into_iter());
    }
    let why = match outcome.status {
        Ok(_) => "the guest did not run it".to_owned(),
        Err(error) => format!("{error:#}"),
    };
    for suite in suites.iter().filter(|suite| !ended.contains(suite)) {
        report.fail(suite, "whole suite", &why);
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

/// The job that runs the suites one after the other.
fn script(suites: &[String]) -> Result<String> {
    let mut script = String::new();
    for suite in suites {
        let command = match suite.as_str() {
            RELOAD => "reload-test".to_owned(),
            suite => format!("guest-tests {suite}"),
        };
        writeln!(script, "echo '{BEGIN}{suite}' >/dev/kmsg")?;
        writeln!(script, "echo '{BEGIN}{suite}'")?;
        writeln!(script, "timeout -s KILL {} {command}", LIMIT.as_secs())?;
        writeln!(script, "echo \"{END}$?\"")?;
    }
    Ok(script)
}

/// The suite that ran when line `at` of the kernel's log was written.
fn suite_at(log: &str, at: usize) -> &str {
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

struct Run<'a> {
    report: &'a mut Report,
    current: Option<Current>,
    ended: Vec<String>,
}

impl Run<'_> {
    fn line(&mut self, line: &str) {
        if let Some(suite) = line.strip_prefix(BEGIN) {
            self.current = Some(Current {
                suite: suite.to_owned(),
                parser: Parser::default(),
                failed: false,
            });
        } else if let Some(status) = line.strip_prefix(END) {
            let why = format!("the suite ended with status {status}");
            self.end((status != "0").then_some(&why));
        } else if let Some(current) = &mut self.current {
            let results = current.parser.line(line);
            current.failed |= results.iter().any(|result| result.verdict == Verdict::Fail);
            super::report(self.report, &current.suite, results);
        }
    }

    /// Ends the suite that runs, if one does. It may have ended badly without
    /// a failed test to show for it.
    fn end(&mut self, badly: Option<&str>) {
        let Some(mut current) = self.current.take() else {
            return;
        };
        let results = current.parser.finish();
        current.failed |= results.iter().any(|result| result.verdict == Verdict::Fail);
        super::report(self.report, &current.suite, results);
        if let Some(why) = badly.filter(|_| !current.failed) {
            self.report.fail(&current.suite, "exit status", why);
        }
        self.ended.push(current.suite);
    }
}
