// SPDX-License-Identifier: GPL-2.0

//! Displaced private BOs: those that found no room where they should be when they were validated.
//!
//! Jobs name no private BOs, and look at those only that were moved away. So each job tries to bring
//! some of the displaced ones to their place, as it does with those that it names.

use kernel::prelude::*;

use super::data::{
    Vm,
    VmData, //
};
use crate::{
    bo::{
        is_displaced,
        PrivateBos,
        Reserved, //
    },
    device::RgtDevice,
    rust::{
        alloc::LazyVec,
        drm::{
            exec::ExecLocks,
            gpuvm::VmBo, //
        }, //
    }, //
};

/// The most that a job looks at.
const MOST: usize = 32;

/// Returns displaced BOs of a VM that may come to their place now, after the job's use.
pub(super) fn candidates(
    dev: &RgtDevice,
    vm: &Vm,
    private: &PrivateBos,
    locks: &mut ExecLocks<'_>,
) -> Result<LazyVec<VmBo<VmData>>> {
    let displaced = vm.displaced(locks, MOST)?;
    let mut candidates = LazyVec::new();

    if !displaced.is_empty() {
        let prospect = private.prospect(dev);
        for vm_bo in displaced {
            if prospect.is_good_for(vm_bo.bo()) {
                candidates.push(vm_bo, GFP_KERNEL)?;
            }
        }
    }
    Ok(candidates)
}

/// Forgets those that were validated and are in their place.
pub(super) fn forget_settled(locks: &mut ExecLocks<'_>, displaced: &[VmBo<VmData>]) -> Result {
    for vm_bo in displaced {
        if !is_displaced(&mut Reserved::of_exec(locks, vm_bo.bo())?) {
            vm_bo.set_settled(locks)?;
        }
    }
    Ok(())
}
