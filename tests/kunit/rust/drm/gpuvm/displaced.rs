// SPDX-License-Identifier: GPL-2.0

//! Private objects of a VM that should be elsewhere.

use core::ptr;

use kernel::prelude::*;

use super::{
    clear,
    evict::{
        bind,
        evicted,
        exec,
        is_evicted,
        is_settled,
        move_away, //
    },
    unmap,
    vm,
    TestVm,
    Vm, //
};
use crate::{
    rust::{
        alloc::LazyVec,
        drm::{
            exec::Exec,
            gpuvm::VmBo, //
        }, //
    },
    tests::rust::drm::ttm::{
        fake::{
            Bo,
            Fixture, //
        },
        shared::bo_with, //
    }, //
};

/// Looks at some displaced BOs, in their order.
fn displaced(vm: &Vm, exec: Pin<&mut Exec>, most: usize) -> Result<LazyVec<VmBo<TestVm>>> {
    exec.until_all_locked(|locks| {
        vm.lock_resv(locks)?;
        vm.displaced(locks, most)
    })
}

/// Returns whether these come up next.
fn is_displaced(vm: &Vm, most: usize, expected: &[&Bo]) -> Result<bool> {
    let displaced = displaced(vm, exec()?.as_mut(), most)?;

    Ok(displaced
        .iter()
        .map(|vm_bo| ptr::from_ref(vm_bo.bo()))
        .eq(expected.iter().map(|&bo| ptr::from_ref(bo))))
}

fn displace(vm: &Vm, bo: &Bo) -> Result {
    let vm_bo = VmBo::new(vm, bo)?;
    let mut exec = exec()?;

    exec.as_mut().until_all_locked(|locks| {
        vm.lock_resv(locks)?;
        locks.lock(bo.as_gem())
    })?;
    vm_bo.set_displaced(&exec)
}

#[kunit_tests(rgt_gpuvm_displaced)]
mod tests {
    use super::*;

    #[test]
    fn come_up_in_turn() -> Result {
        let fixture = Fixture::new()?;
        let vm = vm(&fixture)?;
        let (one, two) = (bo_with(&fixture, &vm, 1)?, bo_with(&fixture, &vm, 1)?);

        bind(&vm, &one, 20)?;
        bind(&vm, &two, 30)?;
        assert!(is_displaced(&vm, 8, &[])?);
        assert!(is_settled(&vm)?);
        displace(&vm, &one)?;
        assert!(!is_settled(&vm)?);
        displace(&vm, &two)?;
        // Once, however often it is noted.
        displace(&vm, &one)?;
        assert!(is_displaced(&vm, 8, &[&one, &two])?);
        assert!(is_displaced(&vm, 1, &[&one])?);
        assert!(is_displaced(&vm, 1, &[&two])?);
        assert!(is_displaced(&vm, 1, &[&one])?);
        assert!(is_evicted(&vm, &[])?);

        exec()?.as_mut().until_all_locked(|locks| {
            vm.lock_resv(locks)?;
            VmBo::new(&vm, &one)?.set_settled(locks)
        })?;
        assert!(is_displaced(&vm, 8, &[&two])?);
        clear(&vm)
    }

    #[test]
    fn evicted_ones_are_on_the_other_list() -> Result {
        let fixture = Fixture::new()?;
        let vm = vm(&fixture)?;
        let bo = bo_with(&fixture, &vm, 1)?;

        bind(&vm, &bo, 20)?;
        displace(&vm, &bo)?;
        move_away(&bo)?;
        assert!(is_displaced(&vm, 8, &[])?);
        assert!(is_evicted(&vm, &[&bo])?);
        // It has to be validated first.
        displace(&vm, &bo)?;
        assert!(is_displaced(&vm, 8, &[])?);
        exec()?.as_mut().until_all_locked(|locks| {
            vm.lock_resv(locks)?;
            VmBo::new(&vm, &bo)?.set_settled(locks)
        })?;
        assert!(is_evicted(&vm, &[&bo])?);

        let mut exec = exec()?;
        for vm_bo in evicted(&vm, exec.as_mut())? {
            vm_bo.set_validated(&exec)?;
            vm_bo.set_displaced(&exec)?;
        }
        drop(exec);
        assert!(is_evicted(&vm, &[])?);
        assert!(is_displaced(&vm, 8, &[&bo])?);
        clear(&vm)
    }

    #[test]
    fn unmapped_one_is_forgotten() -> Result {
        let fixture = Fixture::new()?;
        let vm = vm(&fixture)?;
        let bo = bo_with(&fixture, &vm, 1)?;

        bind(&vm, &bo, 20)?;
        displace(&vm, &bo)?;
        unmap(&vm, 20..21)?;
        // Before the clean-up as after it.
        assert!(is_displaced(&vm, 8, &[])?);
        vm.cleanup();
        assert!(is_displaced(&vm, 8, &[])?);
        Ok(())
    }

    #[test]
    fn strangers_are_refused() -> Result {
        let fixture = Fixture::new()?;
        let vm = vm(&fixture)?;
        let (bo, external) = (bo_with(&fixture, &vm, 1)?, fixture.bo(1)?);

        bind(&vm, &bo, 20)?;
        bind(&vm, &external, 30)?;
        assert_eq!(displace(&vm, &external), Err(EINVAL));
        let vm_bo = VmBo::new(&vm, &bo)?;
        let mut exec = exec()?;
        exec.as_mut().until_all_locked(|locks| {
            assert!(vm.displaced(locks, 8).is_err());
            assert_eq!(vm_bo.set_settled(locks), Err(EINVAL));
            locks.lock(external.as_gem())
        })?;
        assert_eq!(vm_bo.set_displaced(&exec), Err(EINVAL));
        drop((exec, vm_bo));
        clear(&vm)
    }
}
