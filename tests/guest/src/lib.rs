// SPDX-License-Identifier: GPL-2.0

//! Test suites that run in the guest, against the driver's uAPI.
//!
//! `guest-tests --list` prints the suites' declarations and `guest-tests --list-tests` their tests,
//! each as `SUITE.TEST`. `guest-tests [--long] [--time SECONDS] [--test NAME] SUITE...` runs suites, with
//! TAP on standard output: tests that have a long form in that, those that may run for any time for the
//! seconds, or only the one of the name.

mod arguments;
mod expect;
mod harness;
mod peer;
mod rig;
mod suites;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use harness::{Length, Suite};
use suite_spec::Spec;

/// The option for long tests.
const LONG: &str = "--long";
/// The option for the time of tests that may run for any.
const TIME: &str = "--time";
/// The option that chooses a test.
const TEST: &str = "--test";

/// Returns the declarations of all suites.
pub fn specs() -> Vec<Spec> {
    suites::ALL.iter().map(Suite::spec).collect()
}

/// Runs the test program with the arguments of this process.
pub fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["--list"] => {
            for spec in specs() {
                println!("{spec}");
            }
            ExitCode::SUCCESS
        }
        ["--list-tests"] => {
            for suite in suites::ALL {
                for test in suite.tests() {
                    println!("{}.{}", suite.name, test.name);
                }
            }
            ExitCode::SUCCESS
        }
        [harness::HELPER, name, rest @ ..] => suites::help(name, rest),
        words => match chosen(words) {
            Ok((suites, test)) if harness::run(&suites, test) => ExitCode::SUCCESS,
            Ok(_) => ExitCode::FAILURE,
            Err(error) => {
                eprintln!("guest-tests: {error}");
                ExitCode::FAILURE
            }
        },
    }
}

/// Takes the options of a run and gives its suites, and the only test of them to run.
fn chosen<'a>(words: &[&'a str]) -> anyhow::Result<(Vec<&'static Suite>, Option<&'a str>)> {
    let words = match words {
        [LONG, words @ ..] => {
            Length::set_long();
            words
        }
        words => words,
    };
    let words = match words {
        [TIME, seconds, words @ ..] => {
            Length::set_time(Duration::from_secs(seconds.parse()?));
            words
        }
        words => words,
    };
    let (test, names) = match words {
        [TEST, test, names @ ..] => (Some(*test), names),
        names => (None, names),
    };
    anyhow::ensure!(!names.is_empty(), "no suite is named; --list names them");
    let find = |name: &&str| {
        let suite = suites::ALL.iter().find(|suite| suite.name == *name);
        suite.with_context(|| format!("no suite {name}; --list names them"))
    };
    let suites = names.iter().map(find).collect::<anyhow::Result<Vec<_>>>()?;
    if let Some(test) = test {
        for suite in &suites {
            anyhow::ensure!(
                suite.tests().any(|it| it.name == test),
                "the suite {} has no test {test}; --list-tests names them",
                suite.name
            );
        }
    }
    Ok((suites, test))
}
