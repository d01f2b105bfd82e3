// SPDX-License-Identifier: GPL-2.0

//! Test suites that run in the guest, against the driver's uAPI.
//!
//! `guest-tests --list` names the suites, `guest-tests SUITE...` runs some of them, and without
//! arguments all of them, with TAP on standard output. `--long` before the names runs tests that
//! have a long form in that.

mod expect;
mod harness;
mod peer;
mod rig;
mod suites;

use std::process::ExitCode;

use harness::{Length, Suite};

/// The option for long tests.
const LONG: &str = "--long";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["--list"] => {
            for suite in suites::ALL {
                println!("{}", suite.name);
            }
            ExitCode::SUCCESS
        }
        [harness::HELPER, name, rest @ ..] => suites::help(name, rest),
        words => {
            let names = match words {
                [LONG, names @ ..] => {
                    Length::set_long();
                    names
                }
                names => names,
            };
            let find = |name: &&str| {
                suites::ALL
                    .iter()
                    .find(|suite| suite.name == *name)
                    .ok_or(name.to_string())
            };
            match names.iter().map(find).collect::<Result<Vec<_>, _>>() {
                Ok(chosen) if chosen.is_empty() => run(suites::ALL.iter().collect()),
                Ok(chosen) => run(chosen),
                Err(name) => {
                    eprintln!("guest-tests: no suite {name}; --list names them");
                    ExitCode::FAILURE
                }
            }
        }
    }
}

fn run(suites: Vec<&Suite>) -> ExitCode {
    if harness::run(&suites) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
