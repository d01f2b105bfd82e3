// SPDX-License-Identifier: GPL-2.0

//! stress-ng, whose stressors open nodes and do what can be done to any file, or use memory.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::USER;
use super::nodes::Nodes;
use super::witness::Witness;
use crate::expect::same;
use crate::harness::{Length, Outcome, Program, Programs, say};
use crate::rig::{MIB, meminfo, vmstat};

/// How much longer than its time it may take.
const SLACK: Duration = Duration::from_secs(300);

/// Starts stressors, for a time.
fn start(programs: &Programs, log: &str, time: Duration, stressors: &[&str]) -> Result<Program> {
    let mut command = programs.command("stress-ng");
    command
        .args(["--timeout", &format!("{}s", time.as_secs())])
        .args(["--seed", "1", "--temp-path", "/tmp", "--metrics-brief"])
        .args(stressors)
        .uid(USER)
        .gid(USER);
    Program::start(command, programs.path(log))
}

/// Waits for their success. Gives what they say.
fn finish(mut program: Program, time: Duration) -> Result<String> {
    let status = program.end(time + SLACK)?;
    let said = program.said()?;
    ensure!(status.success(), "{status}: {said}");
    Ok(said)
}

/// How often a stressor did what it does.
fn operations(said: &str, stressor: &str) -> Result<u64> {
    let number = |line: &str| -> Option<u64> {
        let mut words = line.split_once("] ")?.1.split_whitespace();
        (words.next()? == stressor).then(|| words.next()?.parse().ok())?
    };
    let found = said.lines().find_map(number);
    found.with_context(|| format!("nothing about {stressor} in {said}"))
}

/// All that can be done to a file by one who does not know what it is.
pub(super) fn on_the_nodes() -> Outcome {
    let time = Duration::from_secs(Length::choose(6, 600));
    let programs = Programs::new()?;
    let nodes = Nodes::open_to_all()?;
    same("nodes", nodes.all().len(), 2)?;
    let witness = Witness::new(1, time)?;
    let start = |node: &PathBuf| {
        let name = node.file_name().context("a node's name")?;
        let file = node.to_str().context("a node's path")?;
        let log = name.to_string_lossy();
        start(&programs, &log, time, &["--dev", "1", "--dev-file", file])
    };
    let running = nodes.all().iter().map(start).collect::<Result<Vec<_>>>()?;
    for (node, program) in nodes.all().iter().zip(running) {
        let operations = operations(&finish(program, time)?, "dev")?;
        say(&format!("{}: {operations} operations", node.display()));
        ensure!(operations > 0, "nothing was done to {}", node.display());
    }
    witness.ends_well()
}

/// Memory that is mapped, moved, advised and filled by others, who check what they wrote: the pages of
/// BOs have to make room where there is swap.
pub(super) fn under_pressure() -> Outcome {
    let time = Duration::from_secs(Length::choose(6, 900));
    let programs = Programs::new()?;
    let swaps = meminfo("SwapTotal")? != 0;
    let much = match swaps {
        true => meminfo("MemTotal")? / 5 * 2,
        false => meminfo("MemAvailable")? / 3,
    };
    let before = vmstat("pswpout")?;
    let witness = Witness::new(7, time)?;
    let much = format!("{}M", much / MIB);
    let stressors = [
        ["--vm", "1"],
        ["--vm-bytes", &much],
        ["--mmap", "1"],
        ["--mmap-bytes", "16M"],
        ["--mremap", "1"],
        ["--mremap-bytes", "4M"],
        ["--madvise", "1"],
        ["--brk", "1"],
        ["--brk-bytes", "16M"],
    ];
    let mut words = stressors.concat();
    words.push("--verify");
    let said = finish(start(&programs, "memory", time, &words)?, time)?;
    // Of some others there may be no whole one where memory is as slow as swap.
    ensure!(operations(&said, "brk")? > 0, "nothing was done: {said}");
    witness.ends_well()?;
    let swapped = vmstat("pswpout")? - before;
    say(&format!("{swapped} pages were swapped out"));
    ensure!(!swaps || swapped > 0, "there was no pressure");
    Ok(())
}
