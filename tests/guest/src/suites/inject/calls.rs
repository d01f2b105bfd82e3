// SPDX-License-Identifier: GPL-2.0

//! Calls that move nothing.

use rgt::{BindOp, Bo, Vm};

use super::each_allocation;
use crate::harness::{Outcome, Test, tests};
use crate::rig::{MIB, PAGE, Rig, SHARED, SYSTEM};

pub(super) const TESTS: &[Test] = tests![create_and_close, address_spaces, bind_and_split];

fn create_and_close() -> Outcome {
    let rig = Rig::new()?;
    for make in [SHARED[0].1, SHARED[2].1, SYSTEM] {
        each_allocation(
            || Ok(None),
            |bo| {
                *bo = Some(make(Bo::builder(4 * PAGE)).create(&rig.device)?);
                Ok(())
            },
        )?;
    }
    each_allocation(
        || Ok(None),
        |bo| {
            *bo = Some(Bo::builder(PAGE).private(&rig.vm).create(&rig.device)?);
            Ok(())
        },
    )
}

fn address_spaces() -> Outcome {
    let rig = Rig::new()?;
    each_allocation(
        || Ok(None),
        |vm| {
            *vm = Some(Vm::create(&rig.device)?);
            Ok(())
        },
    )
}

fn bind_and_split() -> Outcome {
    let rig = Rig::new()?;
    let bo = rig.vram(4 * MIB)?;
    // A bind brings it to VRAM, where it stays.
    rig.fill(&bo, 1)?;
    let range = rig.vm.reserve(4 * MIB)?;
    each_allocation(
        || Ok(rig.vm.bind(&[BindOp::unmap(range.addr(), range.size())])?),
        |()| {
            let map = BindOp::map(&bo, 0, range.addr(), range.size());
            rig.vm.bind(&[map])?;
            rig.vm.bind(&[BindOp::unmap(range.addr() + MIB, MIB)])?;
            Ok(())
        },
    )
}
