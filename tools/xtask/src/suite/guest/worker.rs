// SPDX-License-Identifier: GPL-2.0

//! A worker: boots one guest after the other and has them run what is left.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::assignment::Assignment;
use super::queue::{Boot, Left, Queue};
use super::stream::{self, Event, Stream};
use super::times::Times;
use super::{Form, LEAKS, RELOAD, c_driver, kernel_tests};
use crate::guest::{Death, Guest, Job, Limit, Outcome, Part, Terminal};
use crate::interrupt::Interrupted;
use crate::klog;
use crate::progress::show;
use crate::report::Report;

/// The job of every guest.
const JOB: &str = include_str!("../../../../guest/suites");
/// Where the job finds what comes next, below the share.
const NEXT: &str = "next";

/// How long a suite may say nothing, beside the limits that its tests announce. The longest that one
/// says nothing for on a busy machine is a fraction of it.
const SILENCE: Duration = Duration::from_secs(600);

/// A worker, which shares its queue and report with others.
pub(super) struct Worker<'a> {
    pub(super) guest: &'a Guest,
    pub(super) queue: &'a Queue,
    pub(super) times: &'a Times,
    pub(super) report: &'a Report,
    pub(super) form: Form,
    /// The only test to run of each suite.
    pub(super) test: Option<&'a str>,
    /// For how long, where a test may run for any time.
    pub(super) time: Option<Duration>,
}

impl Worker<'_> {
    /// Works until nothing is left. What becomes of a guest is no error.
    pub(super) fn work(&self) -> Result<()> {
        while let Some(boot) = self.queue.boot() {
            let assignment = self.queue.guest(boot.guest);
            let start = Instant::now();
            let failure = match self.one(boot, assignment) {
                Err(error) if error.is::<Interrupted>() => return Err(error),
                Err(error) => Some(Failure {
                    what: "cannot run".to_owned(),
                    words: format!("{error:#}"),
                }),
                Ok(failure) => failure,
            };
            self.report
                .guest_took(assignment.machine.name, start.elapsed());
            match failure {
                None => self.queue.ended(boot.guest),
                Some(failure) => self.report_end(boot, assignment, &failure),
            }
        }
        Ok(())
    }

    /// Reports that a guest ended before its time, and whether its suites run again.
    fn report_end(&self, boot: Boot, assignment: &Assignment, failure: &Failure) {
        let guest = format!("guest {}", assignment.machine.name);
        self.report.fail(&guest, &failure.what, &failure.words);
        match self.queue.died(boot.guest) {
            Left::None => {}
            Left::Again(suites) => show(&format!(
                "     what it has left runs in another boot: {}",
                suites.join(", ")
            )),
            Left::GivenUp(suites) => {
                let suites = suites.join(", ");
                self.report.fail(
                    &guest,
                    "boots no more, and has not run these suites",
                    &suites,
                );
            }
        }
    }

    /// Boots a guest and has it run suites until there are no more for it. Tells if it ended before
    /// its time.
    fn one(&self, boot: Boot, assignment: &Assignment) -> Result<Option<Failure>> {
        let machine = &assignment.machine;
        let mut name = match (self.form, machine.is_default()) {
            (Form::Long, true) => "stress".to_owned(),
            (Form::Long, false) => format!("stress-{}", machine.name),
            (Form::Short, true) => "test".to_owned(),
            (Form::Short, false) => format!("test-{}", machine.name),
        };
        if boot.number > 1 {
            write!(name, "-{}", boot.number)?;
        }
        let next = self.guest.share(&name).join(NEXT);
        let mut stream = Stream::new(self.report);
        let mut feed = Feed {
            scanned: !machine.kmemleak,
            ..Feed::default()
        };
        let outcome = self.guest.run_in_parts(
            &Job {
                name: &name,
                machine,
                script: JOB,
                limit: Some(Limit {
                    time: machine.limit,
                    silence: SILENCE,
                }),
                terminal: Terminal::None,
                log: false,
            },
            |line| match stream.line(line) {
                Event::None => Ok(Part::Same),
                Event::Limit(limit) => Ok(Part::Limited(limit)),
                Event::Ended(label, took) => {
                    if self.test.is_none() && self.form == Form::Short {
                        self.times.note(&label, took.as_secs_f64())?;
                    }
                    Ok(Part::Same)
                }
                Event::Next(number) => {
                    let text = feed.next(self.queue, boot.guest, |suite| self.command(suite));
                    hand_over(&next, number, &text)?;
                    Ok(Part::Next)
                }
            },
        )?;
        Ok(judge(self.report, assignment, &outcome, stream.finish()))
    }

    /// The command that runs a suite.
    fn command(&self, suite: &str) -> String {
        match suite {
            RELOAD => "reload-test".to_owned(),
            c_driver::NAME => c_driver::COMMAND.to_owned(),
            suite => kernel_tests::command(suite).unwrap_or_else(|| {
                let long = if self.form == Form::Long {
                    "--long "
                } else {
                    ""
                };
                let time = self.time.map(|time| format!("--time {} ", time.as_secs()));
                let test = self.test.map(|test| format!("--test {test} "));
                let [time, test] = [time, test].map(Option::unwrap_or_default);
                format!("guest-tests {long}{time}{test}{suite}")
            }),
        }
    }
}

/// Reports what the kernel complained of, but for what belongs to the end of a guest that ended
/// before its time, maybe in the suite `left`.
fn judge(
    report: &Report,
    assignment: &Assignment,
    outcome: &Outcome,
    left: Option<String>,
) -> Option<Failure> {
    let boot = assignment.label("boot");
    let suite = |at| stream::suite_at(&outcome.console, at).unwrap_or(&boot);
    let (death, last) = match &outcome.status {
        Ok(_) => (None, None),
        Err(death) => {
            let end = suite(usize::MAX);
            (Some(death), Some(left.as_deref().unwrap_or(end)))
        }
    };
    let mut words = vec![];
    for splat in &outcome.splats {
        let suite = suite(splat.at);
        if Some(suite) == last {
            words.push(splat.text.as_str());
        } else if !kernel_tests::is_provoked(suite, &splat.title) {
            report.kernel_log(suite, [splat].into_iter());
        }
    }
    let death = death?;
    let place = match (&left, last) {
        (Some(suite), _) => format!("in {suite}"),
        (None, Some(suite)) if suite == boot => "while it booted".to_owned(),
        (None, suite) => format!("after {}", suite.unwrap_or(&boot)),
    };
    let what = match (klog::panic(&outcome.console), death) {
        (Some(panic), _) => format!("panicked {place}: \"{panic}\""),
        (None, Death::Hung(_)) => format!("hung {place}"),
        (None, Death::Ended(_)) => format!("ended {place}"),
    };
    let words = match words.is_empty() {
        true => death.to_string(),
        false => words.join("\n"),
    };
    Some(Failure { what, words })
}

/// How a guest ended before its time.
#[derive(Debug, PartialEq, Eq)]
struct Failure {
    what: String,
    words: String,
}

/// An order to a guest.
#[derive(Default)]
struct Feed {
    /// The stage that it is in.
    stage: usize,
    /// The parameters that its driver has.
    parameters: &'static [&'static str],
    /// Whether leaks need not be looked for any more.
    scanned: bool,
}

impl Feed {
    /// The words for what comes next: a suite, the scan for leaks, or the end.
    fn next(&mut self, queue: &Queue, guest: usize, command: impl Fn(&str) -> String) -> String {
        let assignment = queue.guest(guest);
        let limit = assignment.machine.limit.as_secs();
        if let Some(task) = queue.next(guest, self.stage) {
            let stage = &assignment.stages[task.stage];
            let mut text = String::new();
            if stage.parameters != self.parameters {
                text = format!("driver {}\n", stage.parameters.join(" "));
            }
            self.stage = task.stage;
            self.parameters = stage.parameters;
            let label = stage.label(&task.suite);
            return format!("{text}suite {label} {limit} {}\n", command(&task.suite));
        }
        if !self.scanned {
            self.scanned = true;
            let label = assignment.label(LEAKS);
            return format!("suite {label} {limit} leak-scan\n");
        }
        "exit\n".to_owned()
    }
}

/// Puts what comes next where the guest looks for it, all at once.
fn hand_over(folder: &Path, number: usize, text: &str) -> Result<()> {
    fs::create_dir_all(folder)?;
    let unseen = folder.join("new");
    fs::write(&unseen, text)?;
    fs::rename(&unseen, folder.join(number.to_string()))?;
    Ok(())
}

#[cfg(test)]
mod tests;
