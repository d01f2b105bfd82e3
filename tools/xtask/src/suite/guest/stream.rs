// SPDX-License-Identifier: GPL-2.0

//! The output of a job that runs suites, turned into results as it comes.

use std::time::{Duration, Instant};

use crate::klog;
use crate::ktap::{self, Parser, Verdict};
use crate::report::Report;

/// Asks for what comes next, by a number.
const NEXT: &str = "@next ";
/// Marks the beginning of a suite, in the job's output and the kernel's log.
const BEGIN: &str = "@suite ";
/// Marks the beginning of a test, by its time limit in seconds.
const LIMIT: &str = "@limit ";
/// Marks the suite's end.
const END: &str = "@status ";

/// Returns the suite that ran when line `at` of the kernel's log was written, if one did.
pub(super) fn suite_at(log: &str, at: usize) -> Option<&str> {
    log.lines()
        .take(at)
        .filter_map(|line| klog::message(line).strip_prefix(BEGIN))
        .last()
}

struct Current {
    label: String,
    parser: Parser,
    failed: bool,
    start: Instant,
    /// When its last test ended.
    lap: Instant,
}

/// The meaning of a line of the job's output.
#[derive(Debug, PartialEq)]
pub(super) enum Event {
    /// Nothing that matters here.
    None,
    /// The guest asks for its next suite by this number.
    Next(usize),
    /// A test with this time limit begins.
    Limit(Duration),
    /// A suite has ended, after this time.
    Ended(String, Duration),
}

/// The suites of one guest, whose results go to a report.
pub(super) struct Stream<'a> {
    report: &'a Report,
    current: Option<Current>,
}

impl<'a> Stream<'a> {
    /// Nothing has come yet.
    pub(super) fn new(report: &'a Report) -> Self {
        Self {
            report,
            current: None,
        }
    }

    /// Takes a line of the job's output.
    pub(super) fn line(&mut self, line: &str) -> Event {
        if let Some(number) = line.strip_prefix(NEXT) {
            return number.parse().map_or(Event::None, Event::Next);
        }
        if let Some(seconds) = line.strip_prefix(LIMIT) {
            let limit = seconds.parse().map(Duration::from_secs);
            return limit.map_or(Event::None, Event::Limit);
        }
        if let Some(label) = line.strip_prefix(BEGIN) {
            let now = Instant::now();
            self.current = Some(Current {
                label: label.to_owned(),
                parser: Parser::default(),
                failed: false,
                start: now,
                lap: now,
            });
        } else if let Some(status) = line.strip_prefix(END) {
            return self.end(status);
        } else if let Some(current) = &mut self.current {
            let results = current.parser.line(line);
            current.report(self.report, results);
        }
        Event::None
    }

    /// Ends with the guest. Gives the suite that has not ended.
    pub(super) fn finish(self) -> Option<String> {
        let current = self.current?;
        self.report
            .suite_took(&current.label, current.start.elapsed());
        Some(current.label)
    }

    /// Ends the suite that runs. It may have ended badly without a failed test
    /// to show for it.
    fn end(&mut self, status: &str) -> Event {
        let Some(mut current) = self.current.take() else {
            return Event::None;
        };
        let results = current.parser.finish();
        current.report(self.report, results);
        if status != "0" && !current.failed {
            let why = format!("the suite ended with status {status}");
            self.report.fail(&current.label, "exit status", &why);
        }
        let took = current.start.elapsed();
        self.report.suite_took(&current.label, took);
        Event::Ended(current.label, took)
    }
}

impl Current {
    fn report(&mut self, report: &Report, results: Vec<ktap::Result>) {
        for result in results {
            self.failed |= result.verdict == Verdict::Fail;
            let took = self.lap.elapsed();
            self.lap = Instant::now();
            report.test(&self.label, result, Some(took));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Event, Stream, suite_at};
    use crate::report::{Manner, Report};

    /// The events that matter of a job's output, and the suite that has not ended.
    fn play(output: &str) -> (Vec<String>, Option<String>, usize) {
        let report = Report::new(Manner::default());
        let mut stream = Stream::new(&report);
        let mut events = vec![];
        for line in output.lines() {
            match stream.line(line) {
                Event::None => {}
                Event::Next(number) => events.push(format!("next {number}")),
                Event::Limit(limit) => events.push(format!("{} s", limit.as_secs())),
                Event::Ended(label, _) => events.push(label),
            }
        }
        let left = stream.finish();
        (events, left, report.failed())
    }

    #[test]
    fn suites_follow_each_other() {
        let (events, left, failed) = play(
            "@next 1\n@suite gem\nTAP version 14\n1..2\nok 1 - a\nok 2 - b # SKIP no\n@status 0\n\
             @next 2\n@suite coherent/gem\nTAP version 14\n1..1\nnot ok 1 - a\n@status 1\n@next 3\n",
        );
        assert_eq!(
            events,
            ["next 1", "gem", "next 2", "coherent/gem", "next 3"]
        );
        assert_eq!((left, failed), (None, 1));
    }

    #[test]
    fn a_test_announces_its_limit() {
        let (events, _, failed) =
            play("@suite gem\nTAP version 14\n1..1\n@limit 900\n@limit x\nok 1 - a\n@status 0\n");
        assert_eq!(
            (events, failed),
            (vec!["900 s".to_owned(), "gem".to_owned()], 0)
        );
    }

    #[test]
    fn a_suite_that_ends_badly_fails_without_a_failed_test() {
        let (_, _, failed) = play("@suite gem\nTAP version 14\n1..1\nok 1 - a\n@status 137\n");
        assert_eq!(failed, 1);
    }

    #[test]
    fn the_suite_in_which_a_guest_died_is_no_failure_of_its_own() {
        let (events, left, failed) = play("@suite gem\nTAP version 14\n1..2\nok 1 - a\n");
        assert!(events.is_empty());
        assert_eq!((left.as_deref(), failed), (Some("gem"), 0));
    }

    #[test]
    fn a_line_of_the_log_belongs_to_the_suite_before_it() {
        let log = "[    1.0] up\n[    2.0] @suite gem\n[    3.0] Oops\n";
        assert_eq!(suite_at(log, 2), Some("gem"));
        assert_eq!(suite_at(log, 0), None);
    }
}
