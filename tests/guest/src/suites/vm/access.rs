// SPDX-License-Identifier: GPL-2.0

//! The GPU's access through a VM's mappings.

use anyhow::Result;
use rgt::{BindOp, Bo, CommandBuffer, Job, Vm};

use crate::expect::same;
use crate::harness::{Outcome, Test, tests};
use crate::rig::{PAGE, PATIENCE, Rig};

pub(super) const TESTS: &[Test] = tests![
    read_only,
    read_only_and_writable,
    isolation,
    unmapped_memory_is_out_of_reach
];

fn read_only() -> Outcome {
    let rig = Rig::new()?;
    let (bo, result) = (rig.gtt(PAGE)?, rig.gtt(PAGE)?);
    bo.map()?.fill(0..PAGE as usize, 0x0bad_cafe);
    let range = rig.vm.map_read_only(&bo)?;
    let mut work = rig.work(rig.copy)?;
    work.job = work.job.clone().write(&bo);
    let to = work.writes(&result)?;
    work.commands.copy(range.addr(), to, 4)?;
    work.commands.fill(range.addr(), PAGE, 1)?;
    work.commands.fill(to + 4, 4, 2)?;
    work.run()?;
    let map = result.map()?;
    same("what was read", map.read(0), 0x0bad_cafe)?;
    same("what follows the fault", map.read(4), 0)?;
    same("the memory", bo.map()?.checksum(0..PAGE as usize), {
        rgt::checksum::of_fill(0x0bad_cafe, PAGE / 4)
    })
}

fn read_only_and_writable() -> Outcome {
    let rig = Rig::new()?;
    let bo = rig.gtt(PAGE)?;
    let (locked, open) = (rig.vm.map_read_only(&bo)?, rig.vm.map(&bo)?);
    let write = |addr: u64, value: u32| -> Result<u32> {
        let mut work = rig.work(rig.copy)?;
        work.job = work.job.clone().write(&bo);
        work.commands.write(addr, &[value])?;
        work.run()?;
        Ok(bo.map()?.read(0))
    };
    same("through the writable mapping", write(open.addr(), 1)?, 1)?;
    same("through the read-only mapping", write(locked.addr(), 2)?, 1)?;
    let op = BindOp::map(&bo, 0, locked.addr(), PAGE);
    rig.vm.bind(&[op])?;
    same("after it was made writable", write(locked.addr(), 3)?, 3)?;
    rig.vm.bind(&[op.read_only()])?;
    same("after it was made read-only", write(locked.addr(), 4)?, 3)
}

/// Fills a page at an address of a VM and waits.
fn fill_at(rig: &Rig, vm: &Vm, bos: &[&Bo], addr: u64, pattern: u32) -> Result<()> {
    let mut commands = CommandBuffer::new(vm, 16)?;
    commands.fill(addr, PAGE, pattern)?;
    let job = bos
        .iter()
        .fold(Job::new(vm, rig.copy), |job, bo| job.write(bo));
    job.ib(commands.take()).submit()?;
    commands.wait(PATIENCE)?;
    Ok(())
}

fn isolation() -> Outcome {
    let rig = Rig::new()?;
    let other = Vm::create(&rig.device)?;
    let (mine, theirs) = (rig.gtt(PAGE)?, rig.gtt(PAGE)?);
    let addr = rig.device.info().va.end - (1 << 30);
    rig.vm.bind(&[BindOp::map(&mine, 0, addr, PAGE)])?;
    other.bind(&[BindOp::map(&theirs, 0, addr, PAGE)])?;
    for round in 0..10 {
        fill_at(&rig, &rig.vm, &[&mine], addr, 2 * round)?;
        fill_at(&rig, &other, &[&theirs], addr, 2 * round + 1)?;
        let content = (mine.map()?.read(0), theirs.map()?.read(0));
        same("content of both", content, (2 * round, 2 * round + 1))?;
    }
    other.bind(&[BindOp::unmap(addr, PAGE)])?;
    fill_at(&rig, &other, &[&theirs], addr, 99)?;
    same(
        "mine, after a fault in the other VM",
        mine.map()?.read(0),
        18,
    )?;
    same("theirs, no longer mapped", theirs.map()?.read(0), 19)?;
    fill_at(&rig, &rig.vm, &[&mine], addr, 100)?;
    same("mine, after a fill", mine.map()?.read(0), 100)
}

fn unmapped_memory_is_out_of_reach() -> Outcome {
    let rig = Rig::new()?;
    let bo = rig.gtt(PAGE)?;
    let range = rig.vm.map(&bo)?;
    fill_at(&rig, &rig.vm, &[&bo], range.addr(), 1)?;
    rig.vm.bind(&[BindOp::unmap(range.addr(), PAGE)])?;
    // The GPU has just used the translation; it must have forgotten it.
    fill_at(&rig, &rig.vm, &[&bo], range.addr(), 2)?;
    same("content", bo.map()?.read(0), 1)
}
