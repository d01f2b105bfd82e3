// SPDX-License-Identifier: GPL-2.0

//! Order between jobs that use the same BOs, and the life of what they use.

use std::time::Duration;

use rgt::uapi::{DRM_RGT_CS_BO_NO_IMPLICIT, DRM_RGT_CS_BO_WRITE};
use rgt::{Bo, WaitFor, checksum};

use crate::expect::same;
use crate::harness::{Outcome, Test, tests};
use crate::rig::{MIB, PAGE, PATIENCE, Rig, Work};

pub(super) const TESTS: &[Test] = tests![
    read_after_write,
    write_after_read,
    write_after_write,
    ping_pong,
    readers_run_together,
    no_implicit_sync,
    between_vms,
    bo_closed_after_submission,
    vm_private_bos_are_synced,
];

const ROUNDS: u32 = 10;
const SIZE: u64 = MIB;

/// Submits two jobs on two engines without a wait in between, then waits for both.
fn one_after_the_other(mut first: Work, mut second: Work) -> Outcome {
    first.submit()?;
    second.submit()?;
    second.wait()?;
    first.wait()
}

fn read_after_write() -> Outcome {
    let rig = Rig::new()?;
    let (bo, target) = (rig.vram(SIZE)?, rig.gtt(SIZE)?);
    for round in 1..=ROUNDS {
        let mut writer = rig.work(rig.render)?;
        let to = writer.writes(&bo)?;
        for value in 0..4 {
            writer.commands.fill(to, SIZE, value)?;
        }
        writer.commands.fill(to, SIZE, round)?;
        let mut reader = rig.work(rig.copy)?;
        let (from, to) = (reader.reads(&bo)?, reader.writes(&target)?);
        reader.commands.copy(from, to, SIZE)?;
        one_after_the_other(writer, reader)?;
        let map = target.map()?;
        let wrong = (0..map.len())
            .step_by(4096)
            .find(|offset| map.read(*offset) != round);
        same("first page that was read too early", wrong, None)?;
    }
    Ok(())
}

fn write_after_read() -> Outcome {
    let rig = Rig::new()?;
    let (bo, result) = (rig.vram(SIZE)?, rig.gtt(PAGE)?);
    for round in 1..=ROUNDS {
        rig.fill(&bo, round)?;
        let mut reader = rig.work(rig.copy)?;
        let (from, to) = (reader.reads(&bo)?, reader.writes(&result)?);
        for index in 0..4 {
            reader.commands.copy(from + SIZE - 4, to + index * 4, 4)?;
            reader.commands.checksum(from, SIZE, to + 64)?;
        }
        reader.commands.copy(from + SIZE - 4, to + 16, 4)?;
        let mut writer = rig.work(rig.render)?;
        let to = writer.writes(&bo)?;
        writer.commands.fill(to + SIZE - PAGE, PAGE, u32::MAX)?;
        one_after_the_other(reader, writer)?;
        let map = result.map()?;
        let words = [0, 4, 8, 12, 16].map(|offset| map.read(offset));
        same("what was read before the write", words, [round; 5])?;
        same("after the write", word(&bo, SIZE - 4)?, u32::MAX)?;
    }
    Ok(())
}

fn word(bo: &Bo, offset: u64) -> rgt::Result<u32> {
    Ok(bo.map()?.read(offset as usize))
}

fn write_after_write() -> Outcome {
    let rig = Rig::new()?;
    let bo = rig.gtt(SIZE)?;
    for round in 1..=ROUNDS {
        let mut first = rig.work(rig.copy)?;
        let to = first.writes(&bo)?;
        for _ in 0..8 {
            first.commands.fill(to, SIZE, round)?;
        }
        let mut second = rig.work(rig.render)?;
        let to = second.writes(&bo)?;
        second.commands.fill(to, SIZE, !round)?;
        one_after_the_other(first, second)?;
        let sum = bo.map()?.checksum(0..PAGE as usize);
        same(
            "sum of the first page",
            sum,
            checksum::of_fill(!round, PAGE / 4),
        )?;
        same("last word", word(&bo, SIZE - 4)?, !round)?;
    }
    Ok(())
}

/// A long chain of jobs, each on the other engine, each of which needs what the last one did.
fn ping_pong() -> Outcome {
    const LENGTH: u64 = 64;
    let rig = Rig::new()?;
    let (one, other) = (rig.vram(SIZE)?, rig.gtt(SIZE)?);
    rig.fill(&one, 0)?;
    let mut works = Vec::new();
    for step in 0..LENGTH {
        let (engine, source, target) = match step % 2 {
            0 => (rig.copy, &one, &other),
            _ => (rig.render, &other, &one),
        };
        let mut work = rig.work(engine)?;
        let (from, to) = (work.reads(source)?, work.writes(target)?);
        work.commands
            .copy(from, to, SIZE)?
            .write(to + step * 4, &[step as u32 + 1])?;
        work.submit()?;
        works.push(work);
    }
    for mut work in works {
        work.wait()?;
    }
    let map = one.map()?;
    for step in 0..LENGTH as usize {
        same("what a step wrote", map.read(step * 4), step as u32 + 1)?;
    }
    Ok(())
}

fn readers_run_together() -> Outcome {
    let rig = Rig::new()?;
    let (shared, result) = (rig.gtt(PAGE)?, rig.gtt(PAGE)?);
    rig.fill(&shared, 3)?;
    let first = rig.held(rig.render, |work| work.reads(&shared).map(drop))?;
    let other = rig.sibling()?;
    let mut reader = other.work(other.copy)?;
    let (from, to) = (reader.reads(&shared)?, reader.writes(&result)?);
    reader.commands.copy(from, to, 4)?;
    reader.submit()?;
    result.wait(PATIENCE, WaitFor::Writers)?;
    same("what was read", word(&result, 0)?, 3)?;
    reader.wait()?;
    first.finish()
}

fn no_implicit_sync() -> Outcome {
    let rig = Rig::new()?;
    let (shared, result) = (rig.gtt(PAGE)?, rig.gtt(PAGE)?);
    let writer = rig.held(rig.render, |work| work.writes(&shared).map(drop))?;
    let other = rig.sibling()?;
    let mut hasty = other.work(other.copy)?;
    hasty.uses(&shared, DRM_RGT_CS_BO_WRITE | DRM_RGT_CS_BO_NO_IMPLICIT)?;
    let to = hasty.writes(&result)?;
    hasty.commands.write(to, &[4])?;
    hasty.submit()?;
    result.wait(PATIENCE, WaitFor::Writers)?;
    same("what it wrote", word(&result, 0)?, 4)?;
    hasty.wait()?;
    writer.finish()
}

/// Sync follows the BO, not the VM.
fn between_vms() -> Outcome {
    let rig = Rig::new()?;
    let other = rig.sibling()?;
    let (bo, result) = (rig.vram(SIZE)?, rig.gtt(PAGE)?);
    for round in 1..=ROUNDS {
        let mut writer = rig.work(rig.render)?;
        let to = writer.writes(&bo)?;
        for _ in 0..4 {
            writer.commands.fill(to, SIZE, 0)?;
        }
        writer.commands.fill(to, SIZE, round)?;
        let mut reader = other.work(other.copy)?;
        let (from, to) = (reader.reads(&bo)?, reader.writes(&result)?);
        reader.commands.copy(from + SIZE - 4, to, 4)?;
        one_after_the_other(writer, reader)?;
        same("what the other VM read", word(&result, 0)?, round)?;
    }
    Ok(())
}

fn bo_closed_after_submission() -> Outcome {
    let rig = Rig::new()?;
    for make in [crate::rig::SHARED[0].1, crate::rig::SHARED[2].1] {
        let source = rig.bo(SIZE, make)?;
        let target = rig.gtt(SIZE)?;
        rig.fill(&source, 0x0dd5_0dd5)?;
        let mut work = rig.busy(rig.copy, Duration::from_millis(300), |work| {
            let (from, to) = (work.reads(&source)?, work.writes(&target)?);
            work.commands.copy(from, to, SIZE)?;
            Ok(())
        })?;
        drop(source);
        // The next owner of the memory must not disturb the job.
        let next = rig.bo(SIZE, make)?;
        rig.fill(&next, 1)?;
        work.settle()?;
        let sum = target.map()?.checksum(0..SIZE as usize);
        same("sum", sum, checksum::of_fill(0x0dd5_0dd5, SIZE / 4))?;
    }
    Ok(())
}

fn vm_private_bos_are_synced() -> Outcome {
    let rig = Rig::new()?;
    let private = Bo::builder(SIZE).private(&rig.vm).create(&rig.device)?;
    let at = rig.vm.map(&private)?;
    let result = rig.gtt(PAGE)?;
    for round in 1..=ROUNDS {
        let mut writer = rig.work(rig.render)?;
        for _ in 0..4 {
            writer.commands.fill(at.addr(), SIZE, 0)?;
        }
        writer.commands.fill(at.addr(), SIZE, round)?;
        writer.submit()?;
        private.wait(PATIENCE, WaitFor::All)?;
        let mut reader = rig.work(rig.copy)?;
        let to = reader.writes(&result)?;
        reader.commands.copy(at.addr() + SIZE - 4, to, 4)?;
        reader.run()?;
        same("what was written", word(&result, 0)?, round)?;
        writer.wait()?;
    }
    Ok(())
}
