// SPDX-License-Identifier: GPL-2.0

//! VM_BIND works on a BO that is evicted.

use anyhow::Result;
use rgt::{BindOp, Bo};

use super::{against, pressure, rounds, under};
use crate::expect::same;
use crate::harness::Outcome;
use crate::rig::{HIDDEN, MIB, PAGE, Rig};

const SIZE: u64 = 2 * MIB;
/// Several mappings of one BO, of whole and of broken pages.
const WINDOWS: u64 = 4;
/// The address space that they take.
pub(in crate::suites) const WINDOW: u64 = 4 * SIZE;

/// The words at the given addresses, by a job that uses the BO.
fn words(rig: &Rig, bo: &Bo, addrs: &[u64]) -> Result<Vec<u32>> {
    let result = rig.gtt(PAGE)?;
    let mut work = rig.work(rig.render)?;
    work.job = work.job.clone().read(bo);
    let to = work.writes(&result)?;
    for (index, addr) in addrs.iter().enumerate() {
        work.commands.copy(*addr, to + index as u64 * 4, 4)?;
    }
    work.run()?;
    let map = result.map()?;
    Ok((0..addrs.len()).map(|index| map.read(index * 4)).collect())
}

/// A BO whose pages hold their numbers.
pub(in crate::suites) fn numbered(rig: &Rig) -> Result<Bo> {
    let bo = rig.bo(SIZE, HIDDEN)?;
    let staging = rig.gtt(SIZE)?;
    let map = staging.map()?;
    for page in 0..(SIZE / PAGE) as usize {
        map.write(page * PAGE as usize, page as u32);
    }
    rig.copy(&staging, &bo)?;
    Ok(bo)
}

/// Maps parts of the BO at changing places, looks through them, and unmaps them.
pub(in crate::suites) fn bind_look_unbind(rig: &Rig, bo: &Bo, base: u64, round: u64) -> Outcome {
    let part = SIZE / WINDOWS;
    let shift = round % 8 * PAGE;
    let mut ops = Vec::new();
    let mut addrs = Vec::new();
    let mut expected = Vec::new();
    for window in 0..WINDOWS {
        let offset = (window * part + shift).min(SIZE - part);
        let addr = base + window * 2 * part + shift;
        ops.push(BindOp::map(bo, offset, addr, part));
        addrs.extend([addr, addr + part - PAGE]);
        expected.extend([offset / PAGE, (offset + part) / PAGE - 1]);
    }
    rig.vm.bind(&ops)?;
    let expected: Vec<u32> = expected.into_iter().map(|page| page as u32).collect();
    let seen = words(rig, bo, &addrs);
    rig.vm.bind(&[BindOp::unmap(base, WINDOW)])?;
    same("numbers of pages", seen?, expected)
}

/// In the VM that uses it.
pub(super) fn bound_and_unbound() -> Outcome {
    let rig = Rig::new()?;
    let bo = numbered(&rig)?;
    let range = rig.vm.reserve(WINDOW)?;
    let mut round = 0;
    under(&pressure()?, || {
        round += 1;
        bind_look_unbind(&rig, &bo, range.addr(), round)
    })
}

/// In another VM than the one that keeps looking at it. That one's mapping has to follow the BO
/// whatever the other does.
pub(super) fn bound_elsewhere() -> Outcome {
    let rig = Rig::new()?;
    let other = rig.sibling()?;
    let bo = numbered(&rig)?;
    let here = rig.vm.map(&bo)?;
    let there = other.vm.reserve(WINDOW)?;
    let pressure = pressure()?;
    let mut round = 0;
    against(
        || {
            round += 1;
            bind_look_unbind(&other, &bo, there.addr(), round)
        },
        || {
            for _ in 0..rounds() {
                pressure.round()?;
                let last = here.addr() + SIZE - PAGE;
                let seen = words(&rig, &bo, &[here.addr() + PAGE, last])?;
                same("numbers of pages", seen, vec![1, (SIZE / PAGE) as u32 - 1])?;
            }
            Ok(())
        },
    )
}
