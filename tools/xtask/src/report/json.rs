// SPDX-License-Identifier: GPL-2.0

//! The report as a file for programs.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::{State, Test, Took};
use crate::ktap::Verdict;

/// Returns the text of the file: an object with what the run was made with, the sum, and the lists
/// `guests`, `suites` and `tests`. Times are seconds.
pub(super) fn text(state: &State, took: Duration) -> Result<String> {
    let mut all = Map::from_iter(state.facts.iter().cloned());
    for (name, verdict) in [
        ("passed", Verdict::Pass),
        ("failed", Verdict::Fail),
        ("skipped", Verdict::Skip),
    ] {
        all.insert(name.to_owned(), state.count(verdict).into());
    }
    all.insert("seconds".to_owned(), seconds(took));
    let list = |list: &[Took], times: &str| -> Value {
        let entry =
            |it: &Took| json!({"name": it.name, times: it.times, "seconds": seconds(it.time)});
        list.iter().map(entry).collect()
    };
    all.insert("guests".to_owned(), list(&state.guests, "boots"));
    all.insert("suites".to_owned(), list(&state.suites, "runs"));
    all.insert("tests".to_owned(), state.tests.iter().map(test).collect());
    Ok(serde_json::to_string_pretty(&all)? + "\n")
}

fn test(test: &Test) -> Value {
    let (guest, suite) = match test.suite.rsplit_once('/') {
        Some((guest, suite)) => (Some(guest), suite),
        None => (None, test.suite.as_str()),
    };
    json!({
        "guest": guest,
        "suite": suite,
        "name": test.name,
        "verdict": match test.verdict {
            Verdict::Pass => "passed",
            Verdict::Fail => "failed",
            Verdict::Skip => "skipped",
        },
        "why": test.why,
        "seconds": test.took.map(seconds),
        "counted": Map::from_iter(test.counted.iter().map(|(what, number)| (what.clone(), (*number).into()))),
    })
}

/// Seconds, to the millisecond.
fn seconds(time: Duration) -> Value {
    (time.as_millis() as f64 / 1000.0).into()
}
