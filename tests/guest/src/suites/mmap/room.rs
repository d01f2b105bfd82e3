// SPDX-License-Identifier: GPL-2.0

//! Page faults for which there is no room.

use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rgt::{Bo, RegionKind};
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

use crate::expect::same;
use crate::harness::{Outcome, Test, tests};
use crate::rig::{Held, MIB, PAGE, Rig};

pub(super) const TESTS: &[Test] = tests![waits_without_the_lock_of_all_mappings];

/// How long a thread may take to begin to wait.
const BEGINS: Duration = Duration::from_secs(2);

/// How long a call may take on a busy machine.
const SOON: Duration = Duration::from_secs(10);

/// So many percent of the window of the CPU, which a job holds though it is deleted.
fn deleted_in_use(rig: &Rig, percent: u64) -> Result<Held> {
    let bo = rig.visible(of_window(rig, percent)?)?;
    rig.held(rig.render, |work| {
        work.job = work.job.clone().write(&bo);
        Ok(())
    })
}

fn of_window(rig: &Rig, percent: u64) -> Result<u64> {
    let region = rig.device.region(RegionKind::Vram)?.context("VRAM")?;
    Ok(region.cpu_visible_size * percent / 100 / MIB * MIB)
}

/// Maps a page and unmaps it.
fn change_mappings() -> Outcome {
    let prot = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: A new page, which nothing has used.
    unsafe {
        let page = mmap_anonymous(ptr::null_mut(), PAGE as usize, prot, MapFlags::PRIVATE)?;
        munmap(page, PAGE as usize)?;
    }
    Ok(())
}

/// There is no room when the fault comes, nor when it comes again: it waits both times for memory of
/// deleted BOs, and other threads change the mappings of the process meanwhile.
fn waits_without_the_lock_of_all_mappings() -> Outcome {
    let (rig, other) = (Rig::new()?, Rig::new()?);
    let needy: Bo = rig.visible(of_window(&rig, 75)?)?;
    let map = needy.map()?;
    let mut first = deleted_in_use(&other, 35)?;
    let (go, done) = (AtomicBool::new(false), AtomicBool::new(false));

    thread::scope(|scope| {
        let fault = scope.spawn(|| map.write(0, 7));
        let mapper = scope.spawn(|| {
            while !go.load(Ordering::Acquire) {
                thread::sleep(Duration::from_millis(10));
            }
            let result = change_mappings();
            done.store(true, Ordering::Release);
            result
        });
        thread::sleep(BEGINS);
        let mut second = deleted_in_use(&other, 50)?;
        first.release()?;
        thread::sleep(BEGINS);
        let waits = !fault.is_finished();

        // Nothing is allocated before the job ends that the fault waits for.
        go.store(true, Ordering::Release);
        let start = Instant::now();
        while !done.load(Ordering::Acquire) && start.elapsed() < SOON {
            thread::sleep(Duration::from_millis(10));
        }
        let changed = done.load(Ordering::Acquire);
        second.release()?;
        ensure!(fault.join().is_ok(), "the fault failed");
        match mapper.join() {
            Ok(result) => result?,
            Err(_) => anyhow::bail!("the thread that maps panicked"),
        }
        ensure!(waits, "the fault had room before");
        ensure!(changed, "mmap() waits for a page fault");
        second.finish()
    })?;
    first.finish()?;
    same("what was written", map.read(0), 7)
}
