// SPDX-License-Identifier: GPL-2.0

//! Fences across drivers.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rgt::{Bo, WaitFor};

use crate::expect::same;
use crate::harness::{Outcome, Test, tests};
use crate::peer::{Cpu, DmaBuf, Vgem};
use crate::rig::{MIB, PATIENCE, Rig};

pub(super) const TESTS: &[Test] = tests![
    a_dma_buf_is_polled_for_our_jobs,
    a_sync_file_has_our_jobs,
    cpu_access_waits_for_our_jobs,
    our_jobs_wait_for_others,
    our_jobs_wait_for_imported_fences,
];

/// Longer than a look at the content takes, and far from what the driver takes for a hang.
const LONG: Duration = Duration::from_millis(300);
/// Time enough for what must not happen.
const SHORT: Duration = Duration::from_millis(100);

fn a_dma_buf_is_polled_for_our_jobs() -> Outcome {
    let rig = Rig::new()?;
    let bo = rig.gtt(MIB)?;
    let buf: DmaBuf = bo.export()?.into();
    ensure!(buf.poll(Cpu::Writes, SHORT)?, "busy before any job");

    let mut writer = rig.held(rig.copy, |work| work.writes(&bo).map(drop))?;
    ensure!(
        !buf.poll(Cpu::Reads, SHORT)?,
        "readable while it is written"
    );
    ensure!(
        !buf.poll(Cpu::Writes, SHORT)?,
        "writable while it is written"
    );
    writer.release()?;
    ensure!(buf.poll(Cpu::Reads, PATIENCE)?, "not readable in time");
    ensure!(!writer.is_pending()?, "readable before the job ended");

    let mut reader = rig.held(rig.copy, |work| work.reads(&bo).map(drop))?;
    ensure!(
        buf.poll(Cpu::Reads, SHORT)?,
        "not readable while it is read"
    );
    ensure!(!buf.poll(Cpu::Writes, SHORT)?, "writable while it is read");
    reader.release()?;
    ensure!(buf.poll(Cpu::Writes, PATIENCE)?, "not writable in time");
    ensure!(!reader.is_pending()?, "writable before the job ended");
    Ok(())
}

fn a_sync_file_has_our_jobs() -> Outcome {
    let rig = Rig::new()?;
    let bo = rig.gtt(MIB)?;
    let buf: DmaBuf = bo.export()?.into();
    let mut reader = rig.held(rig.copy, |work| work.reads(&bo).map(drop))?;
    let before_reading = buf.export_sync_file(Cpu::Reads)?;
    let before_writing = buf.export_sync_file(Cpu::Writes)?;
    before_reading.wait(SHORT).context("a reader waits")?;
    ensure!(
        matches!(before_writing.wait(SHORT), Err(rgt::Error::TimedOut)),
        "a writer does not wait"
    );
    reader.release()?;
    before_writing.wait(PATIENCE)?;
    ensure!(!reader.is_pending()?, "signalled before the job ended");
    Ok(())
}

fn cpu_access_waits_for_our_jobs() -> Outcome {
    let rig = Rig::new()?;
    let bo = rig.gtt(MIB)?;
    let buf: DmaBuf = bo.export()?.into();
    let busy = rig.busy(rig.copy, LONG, |work| {
        let to = work.writes(&bo)?;
        work.commands.fill(to, MIB, 0x99)?;
        Ok(())
    })?;
    let word = buf.access(Cpu::Reads, |map| map.read(0))?;
    same("word", word, 0x99)?;
    busy.wait()
}

fn our_jobs_wait_for_others() -> Outcome {
    let rig = Rig::new()?;
    let vgem = Vgem::open()?;
    let theirs = vgem.dumb(MIB)?;
    let bo = Bo::import(&rig.device, theirs.export()?)?;
    // So that only the fence is waited for.
    rig.fill(&bo, 0)?;

    let map = theirs.map()?;
    map.fill(0..MIB as usize, 0x30);
    let fence = vgem.attach_fence(&theirs, true)?;
    let delay = Duration::from_millis(500);
    let start = Instant::now();
    thread::scope(|scope| {
        let work = scope.spawn(|| rig.checksum(&bo));
        thread::sleep(delay);
        map.fill(0..MIB as usize, 0x31);
        fence.signal()?;
        let sum = work.join().map_err(|_| anyhow::anyhow!("panicked"))??;
        same("sum", sum, rgt::checksum::of_fill(0x31, MIB / 4))
    })?;
    ensure!(start.elapsed() >= delay, "it did not wait");
    Ok(())
}

fn our_jobs_wait_for_imported_fences() -> Outcome {
    let rig = Rig::new()?;
    let (slow, fast) = (rig.gtt(MIB)?, rig.gtt(MIB)?);
    let (from, to): (DmaBuf, DmaBuf) = (slow.export()?.into(), fast.export()?.into());
    rig.fill(&fast, 0)?;
    let first = rig.held(rig.copy, |work| work.writes(&slow).map(drop))?;
    to.import_sync_file(Cpu::Writes, &from.export_sync_file(Cpu::Reads)?)?;
    ensure!(!fast.is_idle(WaitFor::Writers)?, "the fence is not there");
    // On the other engine, and of another VM, whose jobs are told apart from those of the first.
    let sibling = rig.sibling()?;
    let mut work = sibling.work(sibling.render)?;
    let at = work.writes(&fast)?;
    work.commands.fill(at, MIB, 1)?;
    work.submit()?;
    thread::sleep(SHORT);
    ensure!(work.is_pending()?, "the job did not wait for the fence");
    first.finish()?;
    work.wait()
}
