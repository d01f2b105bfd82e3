// SPDX-License-Identifier: GPL-2.0

//! What a VM has of the memory of its process.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rgt::{BindOp, Mapping, checksum};
use rustix::io::Errno;

use super::area::{Area, READ_WRITE};
use crate::expect::{fails, of_library, same};
use crate::harness::{Outcome, Test, tests};
use crate::rig::{PAGE, PATIENCE, Rig, meminfo, noise};
use crate::suites::observe::FdInfo;

pub(super) const TESTS: &[Test] = tests![
    is_offered,
    uploads_and_downloads,
    read_only,
    as_the_process_may,
    part_of_it_unbound,
    no_handle,
    bound_as_often_as_there_is_memory,
    counted_for_who_binds,
];

const LEN: usize = 37 * PAGE as usize;

fn is_offered() -> Outcome {
    same("the feature", Rig::new()?.device.info().user_memory, true)
}

fn uploads_and_downloads() -> Outcome {
    let rig = Rig::new()?;
    let data = noise(1, LEN / 4);
    let (from, to) = (
        Arc::new(Mapping::anonymous(LEN)?),
        Arc::new(Mapping::anonymous(LEN)?),
    );
    from.write_slice(0, &data);
    let vram = rig.vram(LEN as u64)?;
    let (source, target) = (rig.vm.map_memory_read_only(&from)?, rig.vm.map_memory(&to)?);
    let mut work = rig.work(rig.copy)?;
    let middle = work.writes(&vram)?;
    work.commands.copy(source.addr(), middle, LEN as u64)?;
    work.commands.copy(middle, target.addr(), LEN as u64)?;
    work.run()?;
    let mut read = vec![0; data.len()];
    to.read_slice(0, &mut read);
    same("the data is what it was", read == data, true)
}

fn read_only() -> Outcome {
    let rig = Rig::new()?;
    let area = Area::anonymous(LEN)?;
    area.number(100);
    let bound = area.bind_read_only(&rig)?;
    same("read", bound.checksum(&rig)?, area.checksum())?;
    same("a write goes on", bound.write(&rig, 0, 7)?, false)?;
    same("the memory", area.read(0), 100)
}

/// The GPU may write what the process may write, at any time.
fn as_the_process_may() -> Outcome {
    let rig = Rig::new()?;
    let area = Area::anonymous(LEN)?;
    area.number(100);
    area.protect(libc::PROT_READ)?;
    let bound = area.bind(&rig)?;
    for round in 0..3 {
        let last = PAGE as usize * (round + 1);
        same("read", bound.checksum(&rig)?, area.checksum())?;
        same("a write goes on", bound.write(&rig, last, 7)?, false)?;
        same("the memory", area.read(last), 101 + round as u32)?;
        area.protect(READ_WRITE)?;
        same("a write goes on", bound.write(&rig, 4 * round, 7)?, true)?;
        same("the memory", area.read(4 * round), 7)?;
        area.protect(libc::PROT_READ)?;
    }
    area.protect(libc::PROT_NONE)?;
    fails("no access", Errno::FAULT, submit(&rig))?;
    area.protect(READ_WRITE)?;
    same("read", bound.checksum(&rig)?, area.checksum())
}

/// A job that does nothing.
pub(in crate::suites) fn submit(rig: &Rig) -> rgt::Result<()> {
    let mut commands = rgt::CommandBuffer::new(&rig.vm, 16)?;
    commands.nop()?;
    rgt::Job::new(&rig.vm, rig.copy)
        .ib(commands.take())
        .submit()?;
    commands.wait(crate::rig::PATIENCE)
}

/// What is left of a mapping is of the same memory, and another BO can be in its middle.
fn part_of_it_unbound() -> Outcome {
    let rig = Rig::new()?;
    let area = Area::anonymous(LEN)?;
    area.number(100);
    let bound = area.bind(&rig)?;
    let bo = rig.gtt(PAGE)?;
    rig.fill(&bo, 5)?;
    let at = |page: u64| bound.addr() + page * PAGE;
    rig.vm.bind(&[
        BindOp::unmap(at(3), 2 * PAGE),
        BindOp::map(&bo, 0, at(10), PAGE),
    ])?;
    let sum = |page| -> Result<u64> {
        let result = rig.gtt(8)?;
        let mut work = rig.work(rig.copy)?;
        let to = work.writes(&result)?;
        work.commands.checksum(at(page), PAGE, to)?;
        work.run()?;
        Ok(result.map()?.read_u64(0))
    };
    for round in 0..2 {
        for page in [0, 2, 5, 9, 11, 36] {
            let value = 100 + page as u32 + round * 1000;
            let expected = checksum::of_fill(value, PAGE / 4);
            same(&format!("page {page}"), sum(page)?, expected)?;
        }
        same("the BO", sum(10)?, checksum::of_fill(5, PAGE / 4))?;
        same("the hole", bound.write(&rig, 4 * PAGE as usize, 1)?, false)?;
        // Everything else is as it was when it has come anew.
        area.punch(0, LEN)?;
        area.replace(0, LEN, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, None)?;
        area.number(1100);
    }
    Ok(())
}

/// It is no BO: there is nothing to export, or to leave to others.
fn no_handle() -> Outcome {
    let rig = Rig::new()?;
    let before = rig.gtt(PAGE)?.handle();
    let memory = Arc::new(Mapping::anonymous(LEN)?);
    let _range = rig.vm.map_memory(&memory)?;
    same("the next handle", rig.gtt(PAGE)?.handle(), before)
}

/// What the kernel keeps for pages that are bound is not charged to anyone: they are so many at most.
fn bound_as_often_as_there_is_memory() -> Outcome {
    const SIZE: usize = 32 << 20;
    let rig = Rig::new()?;
    // The page of zeros, as huge ones where that is possible.
    let area = Area::aligned(SIZE)?;
    area.advise(0, SIZE, libc::MADV_HUGEPAGE)?;
    area.protect(libc::PROT_READ)?;
    let most = 5 * meminfo("MemTotal")? as usize / SIZE;
    let mut bound = Vec::new();
    let refused = loop {
        match area.bind(&rig) {
            Ok(one) => bound.push(one),
            Err(error) => break error,
        }
        ensure!(bound.len() <= most, "bound {most} times");
    };
    fails("too many", Errno::NOMEM, of_library::<()>(Err(refused)))?;
    ensure!(bound.len() >= most / 2, "bound {} times", bound.len());
    bound.clear();
    submit(&rig)?;
    area.bind(&rig).map(drop)?;
    let huge = Arc::new(Mapping::anonymous(PAGE as usize)?);
    let range = rig.vm.reserve(1 << 40)?;
    // SAFETY: It fails.
    let op = unsafe { BindOp::memory(huge.as_ptr().cast(), range.addr(), 1 << 40) };
    fails("1 TiB", Errno::NOMEM, rig.vm.bind(&[op]))
}

/// As often as it is bound, until all of it is unbound.
fn counted_for_who_binds() -> Outcome {
    let (rig, other) = (Rig::new()?, Rig::new()?);
    let counted = |rig: &Rig| FdInfo::of(&rig.device)?.number("rgt-user-memory");
    let area = Area::anonymous(LEN)?;
    let sibling = rig.sibling()?;
    let bound = [area.bind(&rig)?, area.bind(&sibling)?];
    same("bound in two VMs", counted(&rig)?, 2 * LEN as u64)?;
    let more = area.bind(&rig)?;
    same("bound once more", counted(&rig)?, 3 * LEN as u64)?;
    rig.vm.bind(&[BindOp::unmap(more.addr(), PAGE)])?;
    submit(&rig)?;
    same("a part of it", counted(&rig)?, 3 * LEN as u64)?;
    same("of another client", counted(&other)?, 0)?;
    drop((bound, more));
    let deadline = Instant::now() + PATIENCE;
    while counted(&rig)? != 0 {
        ensure!(Instant::now() < deadline, "{} bytes", counted(&rig)?);
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
