// SPDX-License-Identifier: GPL-2.0

//! Calls that move nothing.

use std::sync::Arc;

use rgt::{BindOp, Bo, Mapping, Vm};

use super::fail::{Failures, failing};
use crate::expect::same;
use crate::harness::{Outcome, Test};
use crate::rig::{MIB, PAGE, Rig, SHARED, SYSTEM};

pub(super) const TESTS: &[Test] = failing![
    create_and_close: 22,
    address_spaces: 24,
    bind_and_split: 32,
    memory_of_the_process: 48,
];

fn create_and_close(failures: &mut Failures) -> Outcome {
    let rig = Rig::new()?;
    for make in [SHARED[0].1, SHARED[2].1, SYSTEM] {
        failures.each_allocation(
            || Ok(None),
            |bo| {
                *bo = Some(make(Bo::builder(4 * PAGE)).create(&rig.device)?);
                Ok(())
            },
        )?;
    }
    failures.each_allocation(
        || Ok(None),
        |bo| {
            *bo = Some(Bo::builder(PAGE).private(&rig.vm).create(&rig.device)?);
            Ok(())
        },
    )
}

fn address_spaces(failures: &mut Failures) -> Outcome {
    let rig = Rig::new()?;
    failures.each_allocation(
        || Ok(None),
        |vm| {
            *vm = Some(Vm::create(&rig.device)?);
            Ok(())
        },
    )
}

fn bind_and_split(failures: &mut Failures) -> Outcome {
    let rig = Rig::new()?;
    let bo = rig.vram(4 * MIB)?;
    // A bind brings it to VRAM, where it stays.
    rig.fill(&bo, 1)?;
    let range = rig.vm.reserve(4 * MIB)?;
    failures.each_allocation(
        || Ok(rig.vm.bind(&[BindOp::unmap(range.addr(), range.size())])?),
        |()| {
            let map = BindOp::map(&bo, 0, range.addr(), range.size());
            rig.vm.bind(&[map])?;
            rig.vm.bind(&[BindOp::unmap(range.addr() + MIB, MIB)])?;
            Ok(())
        },
    )
}

/// Its bind, and the job that has it fetched again.
fn memory_of_the_process(failures: &mut Failures) -> Outcome {
    const LEN: usize = 16 * PAGE as usize;
    let rig = Rig::new()?;
    let memory = Arc::new(Mapping::anonymous(LEN)?);
    // In a VM of its own each, as the first bind there is another one.
    failures.each_allocation(
        || Ok((rig.sibling()?, None)),
        |(rig, range)| {
            *range = Some(rig.vm.map_memory(&memory)?);
            Ok(())
        },
    )?;

    failures.each_allocation(
        || {
            let rig = rig.sibling()?;
            let range = rig.vm.map_memory(&memory)?;
            // Here, as closing its BO could fail, too.
            let mut work = rig.work(rig.copy)?;
            work.commands.fill(range.addr(), LEN as u64, 7)?;
            // SAFETY: All of it is memory of the mapping, which may change at any time.
            unsafe {
                rustix::mm::madvise(
                    memory.as_ptr().cast(),
                    LEN,
                    rustix::mm::Advice::LinuxDontNeed,
                )
            }?;
            Ok((work, range, rig))
        },
        |(work, ..)| {
            work.submit()?;
            work.wait()?;
            same("filled", memory.read(LEN - 4), 7)
        },
    )
}
