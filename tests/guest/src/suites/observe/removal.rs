// SPDX-License-Identifier: GPL-2.0

//! Reading everything while BOs come and go, and the device as well.

use std::fs::{self, File};
use std::io::{Read, Seek};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rgt::Device;

use super::files::{Debugfs, FdInfo};
use super::tracefs::Recording;
use crate::expect::same;
use crate::harness::{Outcome, Test, tests};
use crate::rig::{MIB, PATIENCE, Rig};
use crate::suites::clients;
use crate::suites::unbind::Unbound;

pub(super) const TESTS: &[Test] = tests![
    reading_while_bos_come_and_go,
    reading_while_the_device_goes,
    files_that_stay_open,
];

const FILES: [&str; 5] = ["bos", "engines", "moved", "page_pool", "regions"];

/// Reads files until the test is over. Counts those that could be read.
fn read_all(paths: &[PathBuf], over: &AtomicBool, read: &AtomicU64) {
    while !over.load(Ordering::Relaxed) {
        for path in paths {
            if fs::read(path).is_ok() {
                read.fetch_add(1, Ordering::Relaxed);
            }
        }
        if let Ok(device) = Device::open()
            && FdInfo::of(&device).is_ok_and(|info| info.memory("vram").is_ok())
        {
            read.fetch_add(1, Ordering::Relaxed);
        }
        // Under emulation two readers that never rest leave nothing to the others.
        thread::sleep(Duration::from_millis(20));
    }
}

/// Does something while others read all the files, and see to it that they could.
fn while_read(work: impl FnOnce() -> Outcome) -> Outcome {
    let debugfs = Debugfs::of(&Device::open()?)?;
    let paths: Vec<PathBuf> = FILES.iter().map(|file| debugfs.path(file)).collect();
    let (over, read) = (AtomicBool::new(false), AtomicU64::new(0));
    let done = thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| read_all(&paths, &over, &read));
        }
        let done = work();
        over.store(true, Ordering::Relaxed);
        done
    });
    done?;
    let read = read.into_inner();
    ensure!(
        read >= 2 * FILES.len() as u64,
        "only {read} files could be read"
    );
    Ok(())
}

fn reading_while_bos_come_and_go() -> Outcome {
    let recording = Recording::start("observe-load")?;
    while_read(|| {
        let time = Duration::from_secs(4);
        let workers = [clients::start(31, time)?, clients::start(32, time)?];
        for worker in workers {
            worker.finish(time + PATIENCE)?;
        }
        Ok(())
    })?;
    ensure!(!recording.stop()?.is_empty(), "no events");
    Ok(())
}

fn reading_while_the_device_goes() -> Outcome {
    let _recording = Recording::start("observe-removal")?;
    while_read(|| {
        for seed in 41..43 {
            let worker = clients::start(seed, PATIENCE)?;
            thread::sleep(Duration::from_secs(1));
            let unbound = Unbound::now()?;
            worker.end(PATIENCE)?;
            unbound.bind()?;
        }
        Ok(())
    })?;
    let rig = Rig::new()?;
    rig.fill(&rig.vram(MIB)?, 1)
}

/// A file that was open when the device went gives an error, also when there is a device again.
fn files_that_stay_open() -> Outcome {
    let rig = Rig::new()?;
    let debugfs = Debugfs::of(&rig.device)?;
    let mut open = Vec::new();
    for file in FILES {
        let mut file = File::open(debugfs.path(file))?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        file.rewind()?;
        open.push(file);
    }
    ensure!(
        FdInfo::of(&rig.device)?.memory("vram").is_ok(),
        "no figures"
    );

    let unbound = Unbound::now()?;
    let fails = |files: &mut Vec<File>| -> Outcome {
        for file in files {
            let mut text = String::new();
            ensure!(file.read_to_string(&mut text).is_err(), "gave {text:?}");
        }
        same(
            "fdinfo",
            FdInfo::of(&rig.device)?.memory("vram").is_ok(),
            false,
        )
    };
    fails(&mut open)?;
    ensure!(
        !debugfs.path("bos").exists(),
        "the directory is still there"
    );
    unbound.bind()?;
    fails(&mut open)?;

    let deadline = Instant::now() + PATIENCE;
    while !debugfs.path("bos").exists() {
        ensure!(
            Instant::now() < deadline,
            "the directory does not come back"
        );
        thread::sleep(Duration::from_millis(20));
    }
    let lines = debugfs.lines("regions").context("of the new device")?;
    ensure!(!lines.is_empty(), "no regions");
    Ok(())
}
