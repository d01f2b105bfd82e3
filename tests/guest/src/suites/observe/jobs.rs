// SPDX-License-Identifier: GPL-2.0

//! Jobs as the tools see them that know all drivers.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::process::{self, Command, Stdio};

use anyhow::{Context, Result, ensure};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::files::FdInfo;
use super::tracefs::Recording;
use crate::harness::{Outcome, Test, tests};
use crate::rig::{MIB, PAGE, Rig};

pub(super) const TESTS: &[Test] = tests![events_of_the_scheduler, gputop_shows_clients_and_load];

/// The events that the kernel calls stable tell of each job: queued, run, done.
fn events_of_the_scheduler() -> Outcome {
    let rig = Rig::new()?;
    let bo = rig.gtt(PAGE)?;
    rig.fill(&bo, 1)?;
    let info = FdInfo::of(&rig.device)?;
    let (device, client) = (info.text("drm-pdev")?, info.text("drm-client-id")?);
    let recording = Recording::of_scheduler("observe-jobs")?;
    rig.fill(&bo, 2)?;
    let lines = recording.stop_with_lines()?;

    let ring = format!("ring=engine{},", rig.copy.id);
    let after = |begin: usize, what: &str, parts: &[&str]| -> Result<usize> {
        let found = lines[begin..].iter().position(|line| {
            line.contains(&format!(": drm_sched_job_{what}: "))
                && parts.iter().all(|part| line.contains(part))
        });
        Ok(begin + found.with_context(|| format!("no {what} in {lines:#?}"))?)
    };
    let client = format!("client_id:{client}");
    let queued = after(0, "queue", &[&format!("dev={device},"), &ring, &client])?;
    let fence = lines[queued]
        .split([' ', ','])
        .find(|part| part.starts_with("fence="))
        .context("no fence")?;
    let run = after(queued, "run", &[&format!("{fence},"), &ring, &client])?;
    after(run, "done", &[&format!("{fence} signaled")])?;
    Ok(())
}

/// gputop's row of a client.
#[derive(Debug)]
struct Row {
    pid: u32,
    memory: String,
    /// Percents of each class of engines.
    load: Vec<(String, f64)>,
}

/// The rows of gputop's table, of all times that it was shown.
fn rows(table: &str) -> Vec<Row> {
    let mut classes = Vec::new();
    let mut rows = Vec::new();
    for line in table.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        if let ["PID", "MEM", "RSS", engines @ .., "NAME", _] = &words[..] {
            classes = engines.iter().map(|&class| class.to_owned()).collect();
        }
        let mut parts = line.split('|');
        let head: Vec<_> = parts.next().unwrap_or("").split_whitespace().collect();
        let [pid, memory, _resident] = head[..] else {
            continue;
        };
        let Ok(pid) = pid.parse() else { continue };
        let percents = parts.filter_map(|part| part.split_once('%')?.0.trim().parse().ok());
        rows.push(Row {
            pid,
            memory: memory.to_owned(),
            load: classes.iter().cloned().zip(percents).collect(),
        });
    }
    rows
}

/// Both ends of a terminal. gputop shows nothing where its input is none; one whose size is not
/// set it takes for 24 lines of 80 columns.
fn terminal() -> Result<(OwnedFd, File)> {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    grantpt(&ours)?;
    unlockpt(&ours)?;
    let name = ptsname(&ours, Vec::new())?.into_string()?;
    let theirs = File::options().read(true).write(true).open(&name);
    Ok((ours, theirs.context(name)?))
}

/// gputop, which knows of no driver but reads what DRM has laid down for all.
fn gputop_shows_clients_and_load() -> Outcome {
    const SIZE: u64 = 16 * MIB;
    let (rig, idle) = (Rig::new()?, Rig::new()?);
    let bo = rig.gtt(SIZE)?;
    rig.fill(&bo, 0)?;
    let small = idle.gtt(PAGE)?;
    idle.fill(&small, 0)?;

    let (_terminal, input) = terminal()?;
    // Load is counted when a job ends, which on a slow machine none may do between two looks.
    let mut tool = Command::new("gputop")
        .args(["--iterations=8", "--delay=2"])
        .stdin(input)
        .stdout(Stdio::piped())
        .spawn()
        .context("gputop")?;
    while tool.try_wait()?.is_none() {
        let mut work = rig.work(rig.copy)?;
        let to = work.writes(&bo)?;
        for round in 0..16 {
            work.commands.fill(to, SIZE, round)?;
        }
        work.run()?;
    }
    let table = String::from_utf8(tool.wait_with_output()?.stdout)?;
    let mut rows = rows(&table);
    rows.retain(|row| row.pid == process::id());
    let shown = |memory: &str, copies: bool| {
        rows.iter().any(|row| {
            row.memory == memory
                && row
                    .load
                    .iter()
                    .any(|(class, load)| class == "copy" && (*load > 0.0) == copies)
                && row
                    .load
                    .iter()
                    .all(|(class, load)| class == "copy" || *load == 0.0)
        })
    };
    ensure!(shown("16M", true), "the busy client: {rows:#?} in {table}");
    ensure!(shown("4K", false), "the idle client: {rows:#?} in {table}");
    Ok(())
}
