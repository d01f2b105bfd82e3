// SPDX-License-Identifier: GPL-2.0

//! Core dumps of hangs.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rgt::{Context, Engine, Priority};

use crate::expect::same;
use crate::harness::{Control, LONG, Outcome, Test, tests};
use crate::rig::{PATIENCE, Rig};
use crate::suites::unbind::Unbound;

pub(super) const TESTS: &[Test] = tests![LONG; of_a_hang_at_a_time];

const DUMPS: &str = "/sys/class/devcoredump";

/// The file of a dump, if there is one.
fn dump() -> Result<Option<PathBuf>> {
    let dumps = fs::read_dir(DUMPS).context("this kernel has no device core dumps")?;
    let mut files = dumps.filter_map(|entry| Some(entry.ok()?.path().join("data")));
    Ok(files.find(|file| file.exists()))
}

/// Waits for a dump, or for there being none.
fn until_dumped(wanted: bool) -> Result<Option<PathBuf>> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let dump = dump()?;
        if dump.is_some() == wanted {
            return Ok(dump);
        }
        ensure!(Instant::now() < deadline, "there is {dump:?}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// Frees a dump, by a write.
fn forget(dump: &PathBuf) -> Outcome {
    // It may just have gone by itself, as dumps do after some minutes.
    let _ = fs::write(dump, "1");
    until_dumped(false).map(drop)
}

/// Has a job of a new context hang an engine, and waits until that is over.
fn hang(control: &mut Control, rig: &Rig, engine: Engine) -> Outcome {
    let guilty = Context::create(&rig.device, Priority::Normal)?;
    let mut bad = rig.work(engine)?;
    bad.context(&guilty);
    bad.commands.nop()?;
    control.send(&format!("hang 0 {}", engine.id))?;
    bad.submit()?;
    bad.wait()
}

/// The dump names the job, and has the registers and the rings of that moment.
fn of_a_hang_at_a_time() -> Outcome {
    // As if it had just been loaded.
    Unbound::now()?.bind()?;
    if let Some(old) = dump()? {
        forget(&old)?;
    }
    let mut control = Control::open()?;
    let rig = Rig::new()?;
    hang(&mut control, &rig, rig.render)?;
    let file = until_dumped(true)?.context("no dump")?;
    let text = fs::read_to_string(&file)?;

    let lines: Vec<_> = text.lines().collect();
    let job = lines
        .first()
        .and_then(|line| line.strip_prefix("rust_gpu_ttm: job "))
        .and_then(|line| line.split_once(" of engine "))
        .filter(|(_, rest)| *rest == format!("{} takes too long", rig.render.id))
        .map(|(job, _)| job);
    let job = job.with_context(|| format!("the first line of {text}"))?;
    let position = |start: &str| {
        let found = lines.iter().position(|line| line.starts_with(start));
        found.with_context(|| format!("no line {start}… in {text}"))
    };
    position("device: revision ")?;
    let engines = rig.device.engines().iter();
    let sections = engines
        .map(|engine| position(&format!("engine {}: class ", engine.id)))
        .collect::<Result<Vec<_>>>()?;
    let at = position(&format!("  job {job}: dwords "))?;
    let section = sections.iter().rfind(|section| **section < at);
    ensure!(
        section == sections.get(rig.render.id as usize),
        "job {job} is another engine's in {text}"
    );
    let packets = lines[at..].iter().find_map(|line| {
        let (position, dwords) = line.trim_start().split_once(": ")?;
        position.parse::<u64>().ok()?;
        let mut dwords = dwords.split(' ');
        dwords
            .all(|dword| u32::from_str_radix(dword, 16).is_ok())
            .then_some(())
    });
    ensure!(packets.is_some(), "no packets of job {job} in {text}");

    forget(&file)?;
    hang(&mut control, &rig, rig.copy)?;
    let file = until_dumped(true)?.context("no dump of the second hang")?;
    let of_the_copy_engine = fs::read_to_string(&file)?;
    // Others are thrown away until the one that is there was read.
    hang(&mut control, &rig, rig.render)?;
    thread::sleep(Duration::from_secs(1));
    same("the dump", fs::read_to_string(&file)?, of_the_copy_engine)?;
    forget(&file)
}
