// SPDX-License-Identifier: GPL-2.0

//! A line for every test as it comes, how long everything took, and the sum.

mod everywhere;
mod json;

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::interrupt::{self, Interrupted};
use crate::klog::{self, Splat};
use crate::ktap::{self, Verdict};
use crate::progress::{say, show};

/// The suite of what fails without being one.
const RUN: &str = "run";
/// What a line begins with that tells how many of something there were in a test.
const COUNTED: &str = "# counted ";

/// How a report tells of the tests.
#[derive(Clone, Copy, Default)]
pub(crate) struct Manner {
    /// Only failures are printed: the rest is shown otherwise.
    pub(crate) terse: bool,
    /// The first failure stops the run.
    pub(crate) fail_fast: bool,
    /// All tests there are run, so that one that is always skipped fails the run.
    pub(crate) whole: bool,
}

/// Counts tests and prints them as they come. Several suites may use it at once.
pub(crate) struct Report {
    manner: Manner,
    start: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Facts of the run: a name and its value, a string or an object.
    facts: Vec<(String, serde_json::Value)>,
    tests: Vec<Test>,
    suites: Vec<Took>,
    guests: Vec<Took>,
    /// A line that is shown if a test fails.
    suspects: Option<String>,
}

impl State {
    fn count(&self, verdict: Verdict) -> usize {
        let tests = self.tests.iter();
        tests.filter(|test| test.verdict == verdict).count()
    }

    fn is_green(&self) -> bool {
        self.count(Verdict::Fail) == 0 && self.count(Verdict::Pass) > 0
    }
}

/// A test that has ended. Its suite may have that of a guest in front: `swiotlb/gem`.
struct Test {
    suite: String,
    name: String,
    verdict: Verdict,
    /// Why it failed or was skipped.
    why: String,
    /// How many there were of what it counts.
    counted: Vec<(String, u64)>,
    took: Option<Duration>,
}

/// The numbers that a test has told of, each with what it counts.
fn counted(said: &str) -> impl Iterator<Item = (u64, &str)> {
    let lines = said.lines().filter_map(|line| line.strip_prefix(COUNTED));
    lines.filter_map(|line| {
        let (number, what) = line.split_once(' ')?;
        Some((number.parse().ok()?, what))
    })
}

/// How long a suite or a guest took, all of its boots together.
struct Took {
    name: String,
    times: usize,
    time: Duration,
}

impl Report {
    /// Begins a report.
    pub(crate) fn new(manner: Manner) -> Self {
        Self {
            manner,
            start: Instant::now(),
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds something that the run was made with.
    pub(crate) fn fact(&self, name: &str, value: impl Into<serde_json::Value>) {
        let mut state = self.state();
        state.facts.retain(|(known, _)| known != name);
        state.facts.push((name.to_owned(), value.into()));
    }

    /// Sets what is said before the sum if a test fails.
    pub(crate) fn suspect(&self, suspects: Option<String>) {
        self.state().suspects = suspects;
    }

    /// Adds the result of a test, and how long that took if it is known.
    pub(crate) fn test(&self, suite: &str, result: ktap::Result, took: Option<Duration>) {
        let ktap::Result {
            name,
            verdict,
            said,
        } = result;
        match verdict {
            Verdict::Fail => {
                show(&format!("FAIL {suite}: {name}"));
                for line in said.lines() {
                    show(&format!("     {line}"));
                }
                if self.manner.fail_fast {
                    interrupt::stop();
                }
            }
            _ if self.manner.terse => {}
            Verdict::Pass => {
                show(&format!("ok   {suite}: {name}"));
                for (number, what) in counted(&said) {
                    show(&format!("     {number} {what}"));
                }
            }
            Verdict::Skip => {
                let why = if said.is_empty() { "no reason" } else { &said };
                show(&format!("skip {suite}: {name} ({why})"));
            }
        }
        let counted = counted(&said)
            .map(|(number, what)| (what.to_owned(), number))
            .collect();
        let why = match verdict {
            Verdict::Pass => String::new(),
            _ => said,
        };
        self.state().tests.push(Test {
            suite: suite.to_owned(),
            name,
            verdict,
            why,
            counted,
            took,
        });
    }

    /// Adds what failed without being a test's own result, and what is known about it.
    pub(crate) fn fail(&self, suite: &str, name: &str, why: &str) {
        let result = ktap::Result {
            name: name.to_owned(),
            verdict: Verdict::Fail,
            said: why.to_owned(),
        };
        self.test(suite, result, None);
    }

    /// Reports complaints of the kernel during a suite: any fails it, but for those of others,
    /// which are told.
    pub(crate) fn kernel_log<'a>(&self, suite: &str, splats: impl Iterator<Item = &'a Splat>) {
        for splat in splats {
            if klog::is_elsewhere(splat) {
                say(&format!("  {suite}: not of the driver: {}", splat.title));
                continue;
            }
            self.fail(suite, &format!("kernel log: {}", splat.title), &splat.text);
        }
    }

    /// Adds the time that a suite took.
    pub(crate) fn suite_took(&self, suite: &str, time: Duration) {
        add(&mut self.state().suites, suite, time);
    }

    /// Adds the time that a boot of a guest took, with all that ran in it.
    pub(crate) fn guest_took(&self, guest: &str, time: Duration) {
        add(&mut self.state().guests, guest, time);
    }

    /// Takes what became of a run that the first failure may have stopped, which is no error.
    pub(crate) fn unless_stopped(&self, result: Result<()>) -> Result<()> {
        match result {
            Err(error) if error.downcast_ref() == Some(&Interrupted::Stopped) => {
                show(&format!("{error}"));
                Ok(())
            }
            result => result,
        }
    }

    /// Ends the tests: in a run of all that there are, one that was skipped wherever it ran has
    /// failed.
    pub(crate) fn end(&self) {
        if !self.manner.whole {
            return;
        }
        let always = everywhere::skipped(&self.state().tests);
        for (name, why) in always {
            self.fail(RUN, &format!("{name} was skipped wherever it ran"), &why);
        }
    }

    /// Tells whether there were tests, and none failed.
    pub(crate) fn is_green(&self) -> bool {
        self.state().is_green()
    }

    /// Returns how many tests have failed.
    #[cfg(test)]
    pub(crate) fn failed(&self) -> usize {
        self.state().count(Verdict::Fail)
    }

    /// Prints the times and the sum, and gives the exit status. What is known goes to the file
    /// `json`, too, if one is named.
    pub(crate) fn close(&self, json: Option<&Path>) -> Result<ExitCode> {
        let mut state = self.state();
        let state = &mut *state;
        for took in [&mut state.guests, &mut state.suites] {
            took.sort_by_key(|took| std::cmp::Reverse(took.time));
        }
        if !self.manner.terse {
            for line in times(state) {
                show(&line);
            }
        }
        if let Some(path) = json {
            let text = json::text(state, self.start.elapsed())?;
            fs::create_dir_all(path.parent().unwrap_or(path))?;
            fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        for line in closing(state) {
            show(&line);
        }
        Ok(match state.is_green() {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        })
    }
}

fn add(all: &mut Vec<Took>, name: &str, time: Duration) {
    match all.iter_mut().find(|took| took.name == name) {
        Some(took) => {
            took.times += 1;
            took.time += time;
        }
        None => all.push(Took {
            name: name.to_owned(),
            times: 1,
            time,
        }),
    }
}

/// The times as they are printed, the longest first.
fn times(state: &State) -> Vec<String> {
    let mut lines = vec![];
    for (kind, all) in [("guest", &state.guests), ("suite", &state.suites)] {
        lines.extend(all.iter().map(|took| {
            let boots = match (kind, took.times) {
                ("guest", times) if times > 1 => format!(" ({times} boots)"),
                _ => String::new(),
            };
            format!(
                "time {kind} {:7.1} s  {}{boots}",
                took.time.as_secs_f64(),
                took.name
            )
        }));
    }
    lines
}

/// The last lines: what may be the reason of failures, and the sum.
fn closing(state: &State) -> Vec<String> {
    let verdicts = [Verdict::Pass, Verdict::Fail, Verdict::Skip];
    let [passed, failed, skipped] = verdicts.map(|verdict| state.count(verdict));
    let suspects = state.suspects.iter().filter(|_| !state.is_green());
    let sum = format!("{passed} passed, {failed} failed, {skipped} skipped");
    suspects.cloned().chain([sum]).collect()
}

#[cfg(test)]
mod tests;
