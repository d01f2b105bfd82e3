// SPDX-License-Identifier: GPL-2.0

use std::path::PathBuf;

use super::*;
use crate::report::Manner;
use crate::suite::guest::plan::tests::chosen;

/// All that the guest of these suites is told.
fn told(names: &str) -> Vec<String> {
    let guests = chosen(names);
    let kmemleak = guests[0].machine.kmemleak;
    let queue = Queue::new(guests, |_| 1.0);
    let mut feed = Feed {
        scanned: !kmemleak,
        ..Feed::default()
    };
    let command = |suite: &str| format!("run {suite}");
    let mut texts = vec![];
    while texts.last().is_none_or(|text| text != "exit\n") {
        texts.push(feed.next(&queue, 0, command));
    }
    texts
}

#[test]
fn a_guest_gets_its_suites_and_the_end() {
    assert_eq!(told("gem"), ["suite gem 3600 run gem\n", "exit\n"]);
    let label = "suite lowmem/gem 3600 run gem\n";
    assert_eq!(told("lowmem/gem"), [label, "exit\n"]);
}

#[test]
fn the_driver_has_the_parameters_of_the_stage() {
    assert_eq!(
        told("gem,coherent/gem,coherent/cs"),
        [
            "suite gem 3600 run gem\n",
            "driver use_dma_alloc=1\nsuite coherent/cs 3600 run cs\n",
            "suite coherent/gem 3600 run gem\n",
            "exit\n"
        ]
    );
    // A guest comes up without any.
    let texts = told("mask32/gem");
    assert!(texts[0].starts_with("driver dma_bits=32\nsuite mask32/gem "));
}

#[test]
fn leaks_are_looked_for_at_the_end_of_a_boot() {
    assert_eq!(
        told("reload"),
        [
            "suite reload 3600 run reload\n",
            "suite leaks 3600 leak-scan\n",
            "exit\n"
        ]
    );
}

/// The end of a guest with this log, and the number of failures besides.
fn judged(
    status: std::result::Result<i32, Death>,
    console: &str,
    left: Option<&str>,
) -> (Option<Failure>, usize) {
    let assignment = &chosen("swiotlb")[0];
    let report = Report::new(Manner::default());
    let outcome = Outcome {
        status,
        splats: klog::scan(console),
        console: console.to_owned(),
        log: PathBuf::new(),
        out: PathBuf::new(),
    };
    let failure = judge(&report, assignment, &outcome, left.map(str::to_owned));
    (failure, report.failed())
}

fn ended() -> Death {
    Death::Ended("last words".to_owned())
}

const PANIC: &str = "\
[    1.0] @suite swiotlb/gem
[    2.0] WARNING: at gem.c:1
[    2.1] ---[ end trace 0 ]---
[    3.0] @suite swiotlb/evict
[    4.0] BUG: unable to handle page fault
[    4.1] Kernel panic - not syncing: Fatal exception
";

#[test]
fn a_panic_is_the_guests_and_names_the_suite() {
    let (failure, others) = judged(Err(ended()), PANIC, Some("swiotlb/evict"));
    let failure = failure.unwrap();
    assert_eq!(
        failure.what,
        "panicked in swiotlb/evict: \"Kernel panic - not syncing: Fatal exception\""
    );
    assert!(failure.words.contains("BUG: unable to handle"));
    // The suite before it has a complaint of its own.
    assert_eq!(others, 1);
}

#[test]
fn a_guest_that_hangs_or_ends_is_told_as_such() {
    let log = "[    1.0] @suite swiotlb/gem\n";
    let hung = Death::Hung("for an hour".to_owned());
    let (failure, _) = judged(Err(hung), log, Some("swiotlb/gem"));
    let expected = Failure {
        what: "hung in swiotlb/gem".to_owned(),
        words: "for an hour".to_owned(),
    };
    assert_eq!(failure, Some(expected));
    let what = |log, left| judged(Err(ended()), log, left).0.unwrap().what;
    assert_eq!(what(log, None), "ended after swiotlb/gem");
    assert_eq!(what("", None), "ended while it booted");
    let timer = "[    0.1] Kernel panic - not syncing: IO-APIC + timer doesn't work!\n";
    assert!(what(timer, None).starts_with("panicked while it booted: "));
}

#[test]
fn complaints_of_a_guest_that_lives_are_those_of_its_suites() {
    let log = "[    0.5] WARNING: early\n[    0.6] ---[ end trace ]---\n".to_owned() + PANIC;
    let (failure, others) = judged(Ok(0), &log, None);
    assert_eq!((failure, others), (None, 3));
}
