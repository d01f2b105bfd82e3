// SPDX-License-Identifier: GPL-2.0

//! Jobs that fault: alone, and without harm to others.

use anyhow::{Context, Result};
use rgt::packet::{self, Rect, Surface};
use rgt::{BindOp, Ib, Job};

use crate::expect::same;
use crate::harness::{Outcome, Test, tests};
use crate::rig::{PAGE, PATIENCE, Rig, Work};

pub(super) const TESTS: &[Test] = tests![
    access_outside,
    bad_packets,
    buffer_outside,
    buffer_that_runs_out_of_its_mapping,
    packets_of_another_class,
    packets_of_the_ring,
    rest_of_the_job_is_skipped,
    others_go_on,
    many_in_a_row,
    too_long,
];

/// Runs a job of which `bad` makes a packet that faults, between two that write; then sees that
/// it stopped there, that the wait for it ended, and that the next job works.
fn stops_at(rig: &Rig, bad: impl FnOnce(&mut Work, u64) -> Result<()>) -> Outcome {
    let target = rig.gtt(PAGE)?;
    let mut work = rig.work(rig.copy)?;
    let to = work.writes(&target)?;
    work.commands.write(to, &[1])?;
    bad(&mut work, to)?;
    work.commands.write(to + 4, &[2])?;
    work.run().context("the job that faults")?;
    target.wait(PATIENCE, rgt::WaitFor::All)?;
    let map = target.map()?;
    same(
        "words before and after the fault",
        (map.read(0), map.read(4)),
        (1, 0),
    )?;

    let mut next = rig.work(rig.copy)?;
    let to = next.writes(&target)?;
    next.commands.write(to + 4, &[3])?;
    next.run().context("the next job")?;
    same("what the next job wrote", map.read(4), 3)
}

/// An address where nothing ever is.
fn nowhere(rig: &Rig) -> u64 {
    rig.device.info().va.end - (64 << 30)
}

fn access_outside() -> Outcome {
    let rig = Rig::new()?;
    let away = nowhere(&rig);
    let cases = [away, 0, 1 << 47, u64::MAX - 3, (1 << 48) - 4];
    for addr in cases {
        stops_at(&rig, |work, _| {
            Ok(work.commands.fill(addr, 4, 9).map(drop)?)
        })?;
        stops_at(&rig, |work, to| {
            Ok(work.commands.copy(addr, to + 8, 4).map(drop)?)
        })?;
        stops_at(&rig, |work, to| {
            Ok(work.commands.checksum(addr, 4, to + 8).map(drop)?)
        })?;
    }
    // Half of it inside.
    stops_at(&rig, |work, to| {
        Ok(work.commands.fill(to + 8, !3, 9).map(drop)?)
    })?;
    stops_at(&rig, |work, to| {
        Ok(work.commands.copy(to, to + 8, 1 << 47).map(drop)?)
    })
}

fn bad_packets() -> Outcome {
    let rig = Rig::new()?;
    let headers = [
        0x0001_00ff,
        0x0000_0000,
        0x0003_0010,
        0xffff_0011,
        0x0003_0012,
        0xffff_ffff,
    ];
    for header in headers {
        stops_at(&rig, |work, _| {
            Ok(work.commands.raw(&[header]).map(drop)?)
        })
        .with_context(|| format!("header {header:#010x}"))?;
    }
    stops_at(&rig, |work, to| {
        Ok(work.commands.fill(to + 2, 4, 9).map(drop)?)
    })?;
    stops_at(&rig, |work, to| {
        Ok(work.commands.fill(to + 8, 5, 9).map(drop)?)
    })?;
    stops_at(&rig, |work, to| {
        Ok(work.commands.checksum(to, 4, to + 12).map(drop)?)
    })
}

fn buffer_outside() -> Outcome {
    let rig = Rig::new()?;
    let va = rig.device.info().va.clone();
    for addr in [nowhere(&rig), va.start, va.end - 4] {
        let target = rig.gtt(PAGE)?;
        Job::new(&rig.vm, rig.copy)
            .ib(Ib { addr, dwords: 1 })
            .write(&target)
            .submit()?;
        target.wait(PATIENCE, rgt::WaitFor::All)?;
        same("the memory", target.map()?.read(0), 0)?;
        rig.fill(&target, 5)?;
        same("the next job", target.map()?.read(0), 5)?;
    }
    Ok(())
}

fn buffer_that_runs_out_of_its_mapping() -> Outcome {
    let rig = Rig::new()?;
    let (commands, target) = (rig.gtt(PAGE)?, rig.gtt(PAGE)?);
    let range = rig.vm.reserve(2 * PAGE)?;
    rig.vm
        .bind(&[BindOp::map(&commands, 0, range.addr(), PAGE).read_only()])?;
    let to = rig.vm.map(&target)?;
    // The last packet on the page writes; the buffer goes on behind it.
    let map = commands.map()?;
    map.fill(0..PAGE as usize, packet::nop(1));
    let [header, low, high] = packet::write_head(to.addr(), 1);
    map.write_slice(PAGE as usize - 16, &[header, low, high, 1]);
    let ib = Ib {
        addr: range.addr() + 4,
        dwords: 1024,
    };
    Job::new(&rig.vm, rig.copy)
        .ib(ib)
        .read(&commands)
        .write(&target)
        .submit()?;
    target.wait(PATIENCE, rgt::WaitFor::All)?;
    same("what its last packet wrote", target.map()?.read(0), 1)?;
    rig.fill(&target, 7)?;
    same("the next job", target.map()?.read(0), 7)
}

fn packets_of_another_class() -> Outcome {
    let rig = Rig::new()?;
    stops_at(&rig, |work, to| {
        let surface = Surface {
            addr: to + 64,
            pitch: 64,
        };
        let rect = Rect {
            x: 0,
            y: 0,
            width: 1,
            height: 1,
            pixel: 1,
        };
        Ok(work.commands.rect_fill(surface, rect).map(drop)?)
    })
}

fn packets_of_the_ring() -> Outcome {
    use rgt::abi::packet::{self as op, header, len};
    let rig = Rig::new()?;
    let packets = [
        (op::FENCE, len::FENCE),
        (op::INDIRECT, len::INDIRECT),
        (op::TLB_INVALIDATE, len::TLB_INVALIDATE),
        (op::WAIT, len::WAIT),
    ];
    for (opcode, dwords) in packets {
        stops_at(&rig, |work, to| {
            let mut packet = vec![0; dwords as usize];
            packet[0] = header(opcode, 0, dwords);
            packet[1] = (to + 8) as u32;
            packet[2] = ((to + 8) >> 32) as u32;
            Ok(work.commands.raw(&packet).map(drop)?)
        })
        .with_context(|| format!("opcode {opcode:#x}"))?;
    }
    Ok(())
}

fn rest_of_the_job_is_skipped() -> Outcome {
    let rig = Rig::new()?;
    let target = rig.gtt(PAGE)?;
    let away = nowhere(&rig);
    let mut work = rig.work(rig.copy)?;
    let to = work.writes(&target)?;
    work.commands.write(to, &[1])?;
    work.cut();
    work.commands.fill(away, 4, 9)?.write(to + 4, &[2])?;
    work.run()?;
    let map = target.map()?;
    same("words", (map.read(0), map.read(4)), (1, 0))
}

/// Good jobs of two clients on two engines, with bad ones in between.
fn others_go_on() -> Outcome {
    let (rig, other) = (Rig::new()?, Rig::new()?);
    let away = nowhere(&rig);
    let (mine, theirs) = (rig.gtt(PAGE)?, other.gtt(PAGE)?);
    for round in 1..10 {
        let mut bad = rig.work(rig.copy)?;
        bad.commands.fill(away, 4, 9)?;
        let mut good = rig.work(rig.copy)?;
        let to = good.writes(&mine)?;
        good.commands.write(to, &[round])?;
        let mut same_engine = other.work(other.copy)?;
        let to = same_engine.writes(&theirs)?;
        same_engine.commands.write(to, &[round])?;
        let mut other_engine = other.work(other.render)?;
        let to = other_engine.writes(&theirs)?;
        other_engine.commands.write(to + 4, &[round])?;
        for work in [&mut bad, &mut good, &mut same_engine, &mut other_engine] {
            work.submit()?;
        }
        for work in [&mut bad, &mut good, &mut same_engine, &mut other_engine] {
            work.wait()?;
        }
        same("mine", mine.map()?.read(0), round)?;
        let map = theirs.map()?;
        same("theirs", (map.read(0), map.read(4)), (round, round))?;
    }
    Ok(())
}

/// More faults at once than the GPU has room to report.
fn many_in_a_row() -> Outcome {
    const COUNT: usize = 40;
    let rig = Rig::new()?;
    let away = nowhere(&rig);
    let target = rig.gtt(PAGE)?;
    let mut works = Vec::new();
    for index in 0..COUNT {
        let engine = if index.is_multiple_of(2) {
            rig.copy
        } else {
            rig.render
        };
        let mut work = rig.work(engine)?;
        work.commands.fill(away, 4, 9)?;
        works.push(work);
    }
    for work in &mut works {
        work.submit()?;
    }
    rig.fill(&target, 0x600d)?;
    works.into_iter().try_for_each(|mut work| work.wait())?;
    same("a job after all of them", target.map()?.read(0), 0x600d)
}

/// A job that has the engine for too long is ended; those behind it, and one on another engine
/// that waits for it, run.
fn too_long() -> Outcome {
    let (rig, other) = (Rig::new()?, Rig::new()?);
    let (mine, theirs) = (rig.gtt(PAGE)?, other.gtt(PAGE)?);
    let mut long = rig.endless(rig.copy, |work| {
        let to = work.writes(&mine)?;
        work.commands.write(to, &[1])?;
        Ok(())
    })?;
    let mut behind = other.work(other.copy)?;
    let to = behind.writes(&theirs)?;
    behind.commands.write(to, &[2])?;
    let mut dependent = rig.work(rig.render)?;
    let to = dependent.writes(&mine)?;
    dependent.commands.write(to + 4, &[3])?;

    behind.submit()?;
    dependent.submit()?;
    behind.wait().context("the one behind it")?;
    dependent.wait().context("the one that depends on it")?;
    long.settle().context("the long one")?;
    same("what the one behind wrote", theirs.map()?.read(0), 2)?;
    let map = mine.map()?;
    same(
        "what the other two wrote",
        (map.read(0), map.read(4)),
        (0, 3),
    )
}
