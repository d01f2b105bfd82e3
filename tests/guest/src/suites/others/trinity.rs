// SPDX-License-Identifier: GPL-2.0

//! trinity, which makes system calls with arguments that look right and are not.

use std::os::unix::process::CommandExt;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::USER;
use super::nodes::Nodes;
use super::witness::Witness;
use crate::harness::{Length, Outcome, Program, Programs, say};
use crate::rig::PATIENCE;

/// How long a client works beside it.
const TIME: Duration = Duration::from_secs(10);
/// How long a round may take.
const LIMIT: Duration = Duration::from_secs(600);

/// ioctl() and mmap() of the render node, by somebody without a capability.
pub(super) fn calls() -> Outcome {
    // It starts slowly, and makes some twenty calls in a second.
    let count = Length::choose("500", "5000");
    let end = Instant::now() + Length::choose(Duration::ZERO, Duration::from_secs(2400));
    let programs = Programs::new()?;
    let nodes = Nodes::open_to_all()?;
    for seed in 1.. {
        let witness = Witness::new(seed, TIME)?;
        let mut command = programs.command("trinity");
        command
            .args(["-q", "-l", "off", "-C", "2", "-s", &seed.to_string()])
            .args(["-N", count, "-c", "ioctl,64", "-c", "mmap,64"])
            .args(["--enable-fds=drm,pseudo", "-V"])
            .arg(nodes.render())
            .uid(USER)
            .gid(USER);
        let mut program = Program::start(command, programs.path("trinity.log"))?;
        until_it_has_one(&nodes, &mut program)?;
        let status = program.end(LIMIT)?;
        let said = program.said()?;
        ensure!(status.success(), "{status}: {said}");
        let done = succeeded(&said)?;
        say(&format!("seed {seed}: {done} of {count} calls succeeded"));
        ensure!(done > 0, "no call succeeded: {said}");
        witness.ends_well()?;
        if Instant::now() >= end {
            break;
        }
    }
    Ok(())
}

/// Waits until it has a node open.
fn until_it_has_one(nodes: &Nodes, program: &mut Program) -> Outcome {
    let deadline = Instant::now() + PATIENCE;
    while !nodes.are_open_by(USER)? {
        ensure!(program.runs()?, "it has ended: {}", program.said()?);
        ensure!(
            Instant::now() < deadline,
            "no node is open: {}",
            program.said()?
        );
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// How many calls succeeded.
fn succeeded(said: &str) -> Result<u64> {
    let sum = said.lines().rev().find(|line| line.contains("] Ran "));
    let sum = sum.with_context(|| format!("it does not say how many calls it made: {said}"))?;
    let after = sum.split_once("Successes: ").context("no successes")?.1;
    Ok(after.split(' ').next().unwrap_or_default().parse()?)
}
