// SPDX-License-Identifier: GPL-2.0

use super::super::plan::tests::chosen;
use super::{Boot, Left, Queue};

/// The suites named, each with as many seconds as `of` says.
fn queue(names: &str, of: impl Fn(&str) -> f64) -> Queue {
    Queue::new(chosen(names), of)
}

fn name(queue: &Queue, boot: Boot) -> (&'static str, usize) {
    (queue.guest(boot.guest).machine.name, boot.number)
}

/// All that a guest gets from now on, with the numbers of the stages.
fn rest(queue: &Queue, guest: usize) -> Vec<(usize, String)> {
    let mut stage = 0;
    std::iter::from_fn(|| {
        let task = queue.next(guest, stage)?;
        stage = task.stage;
        Some((task.stage, task.suite))
    })
    .collect()
}

#[test]
fn every_guest_runs_before_one_runs_twice() {
    let queue = queue("gem,cs,lowmem,two-gpus", |label| match label {
        "gem" | "cs" => 500.0,
        "two-gpus/gpus" => 90.0,
        _ => 10.0,
    });
    let boots: Vec<_> = std::iter::from_fn(|| queue.boot()).take(4).collect();
    let names: Vec<_> = boots.iter().map(|boot| name(&queue, *boot)).collect();
    let expected = [
        ("default", 1),
        ("two-gpus", 1),
        ("lowmem", 1),
        ("default", 2),
    ];
    assert_eq!(names, expected);
}

#[test]
fn little_work_is_not_worth_another_boot() {
    let queue = queue("gem,cs,vm", |_| 25.0);
    let boot = queue.boot().unwrap();
    assert!(queue.boot().is_some());
    queue.next(boot.guest, 0).unwrap();
    assert_eq!(queue.boot(), None);
    // Unless no other worker does it.
    queue.ended(boot.guest);
    queue.ended(boot.guest);
    assert!(queue.boot().is_some());
}

#[test]
fn the_longest_comes_first_and_a_stage_is_not_left_for_another() {
    let queue = queue("gem,cs,evict,coherent,mask32/gem", |label| match label {
        "cs" => 30.0,
        "evict" => 20.0,
        "gem" => 10.0,
        "mask32/gem" => 300.0,
        "coherent/mmap" => 40.0,
        _ => 35.0,
    });
    let guest = queue.boot().unwrap().guest;
    let order = rest(&queue, guest);
    let stages: Vec<_> = order.iter().map(|(stage, _)| *stage).collect();
    assert_eq!(stages, [0, 0, 0, 2, 1, 1, 1, 1, 1, 1]);
    let first: Vec<_> = order.iter().map(|(_, suite)| suite.as_str()).collect();
    assert_eq!(first[..3], ["cs", "evict", "gem"]);
    assert_eq!(first[4], "mmap");
}

#[test]
fn what_spoils_the_guest_comes_last() {
    let queue = queue(
        "unbind,gem,coherent/gem,reload,peers",
        |label| match label {
            "unbind" | "reload" | "peers/lost" => 900.0,
            _ => 1.0,
        },
    );
    let suites = |name: &str| -> Vec<String> {
        let boot = queue.boot().unwrap();
        assert_eq!(queue.guest(boot.guest).machine.name, name);
        let order = rest(&queue, boot.guest);
        order.into_iter().map(|(_, suite)| suite).collect()
    };
    let default = suites("default");
    assert_eq!(default[..2], ["gem", "gem"]);
    assert_eq!(default.len(), 4);
    assert_eq!(suites("peers").last().unwrap(), "lost");
}

#[test]
fn what_is_left_by_a_guest_that_died_runs_in_another_one_once() {
    let queue = queue(
        "gem,cs,coherent/gem",
        |label| if label == "cs" { 2.0 } else { 1.0 },
    );
    let dies = || {
        let guest = queue.boot().unwrap().guest;
        queue.next(guest, 0).unwrap();
        queue.died(guest)
    };
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    assert_eq!(dies(), Left::Again(names(&["gem", "coherent/gem"])));
    assert_eq!(dies(), Left::GivenUp(names(&["coherent/gem"])));
    assert_eq!(queue.boot(), None);
}
