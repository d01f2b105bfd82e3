// SPDX-License-Identifier: GPL-2.0

//! External objects of a VM, and those that were evicted.

use core::ptr;

use kernel::prelude::*;

use super::{
    clear,
    map,
    unmap,
    vm,
    TestVm,
    Vm, //
};
use crate::{
    rust::{
        alloc::LazyVec,
        dma_resv::Resv,
        drm::{
            exec::{
                Exec,
                ExecFlags, //
            },
            gpuvm::{
                evict,
                VmBo, //
            }, //
        }, //
    },
    tests::rust::drm::ttm::{
        fake::{
            Bo,
            Fixture,
            PAGE, //
        },
        shared::bo_with, //
    }, //
};

pub(super) fn exec() -> Result<Pin<KBox<Exec>>> {
    let flags = ExecFlags {
        interruptible: false,
        ignore_duplicates: true,
    };

    KBox::pin_init(Exec::new(flags, 0), GFP_KERNEL)
}

/// Maps all of a BO, after it was put on the list of external objects, as a bind does.
pub(super) fn bind(vm: &Vm, bo: &Bo, at: u64) -> Result {
    let vm_bo = VmBo::new(vm, bo)?;
    let mut exec = exec()?;

    exec.as_mut()
        .until_all_locked(|locks| vm.lock_resv(locks))?;
    vm_bo.add_extobj(&exec)?;
    drop(exec);
    map(vm, bo, 0, at..at + bo.size() as u64 / PAGE, true)
}

/// Locks all that a VM has, and returns the BOs that were evicted.
pub(super) fn evicted(vm: &Vm, exec: Pin<&mut Exec>) -> Result<LazyVec<VmBo<TestVm>>> {
    exec.until_all_locked(|locks| {
        vm.lock_resv(locks)?;
        vm.lock_extobjs(locks)?;
        vm.evicted(locks)
    })
}

/// Returns whether a VM has neither displaced nor evicted BOs.
pub(super) fn is_settled(vm: &Vm) -> Result<bool> {
    exec()?.as_mut().until_all_locked(|locks| {
        vm.lock_resv(locks)?;
        vm.lock_extobjs(locks)?;
        vm.is_settled(locks)
    })
}

/// Tells the VMs that a BO moves.
pub(super) fn move_away(bo: &Bo) -> Result {
    evict::<TestVm>(&*bo.reserve(false)?);
    Ok(())
}

fn is_locked(exec: &Exec, resv: &Resv) -> bool {
    exec.locked_resv(resv).is_ok()
}

/// Returns whether the evicted BOs are these.
pub(super) fn is_evicted(vm: &Vm, expected: &[&Bo]) -> Result<bool> {
    let evicted = evicted(vm, exec()?.as_mut())?;

    Ok(evicted.len() == expected.len()
        && expected
            .iter()
            .all(|bo| evicted.iter().any(|vm_bo| ptr::eq(vm_bo.bo(), *bo))))
}

#[kunit_tests(rgt_gpuvm_evict)]
mod tests {
    use super::*;

    #[test]
    fn external_objects_are_locked() -> Result {
        let fixture = Fixture::new()?;
        let vm = vm(&fixture)?;
        let (one, two, other) = (fixture.bo(1)?, fixture.bo(1)?, fixture.bo(1)?);
        let mut exec = exec()?;

        bind(&vm, &one, 20)?;
        bind(&vm, &two, 30)?;
        // Once, however often it is mapped.
        bind(&vm, &two, 40)?;
        assert!(evicted(&vm, exec.as_mut())?.is_empty());
        assert!(is_locked(&exec, vm.resv()));
        assert!(is_locked(&exec, one.resv()));
        assert!(is_locked(&exec, two.resv()));
        assert!(!is_locked(&exec, other.resv()));
        assert_eq!(exec.len(), 3);
        drop(exec);

        unmap(&vm, 20..21)?;
        vm.cleanup();
        let mut exec = super::exec()?;
        assert!(evicted(&vm, exec.as_mut())?.is_empty());
        assert!(!is_locked(&exec, one.resv()));
        drop(exec);
        clear(&vm)
    }

    #[test]
    fn moved_ones_are_evicted_until_they_are_validated() -> Result {
        let fixture = Fixture::new()?;
        let (vm, other_vm) = (vm(&fixture)?, super::vm(&fixture)?);
        let (one, two) = (fixture.bo(1)?, fixture.bo(1)?);

        for vm in [&vm, &other_vm] {
            bind(vm, &one, 20)?;
            bind(vm, &two, 30)?;
        }
        assert!(is_settled(&vm)?);
        move_away(&one)?;
        assert!(!is_settled(&vm)?);
        assert!(is_evicted(&vm, &[&one])?);
        // It stays so if nothing comes of it, and is on the list once.
        move_away(&one)?;
        assert!(is_evicted(&vm, &[&one])?);

        let mut exec = exec()?;
        for vm_bo in evicted(&vm, exec.as_mut())? {
            vm_bo.set_validated(&exec)?;
        }
        drop(exec);
        assert!(is_evicted(&vm, &[])?);
        // Other VMs are on their own.
        assert!(is_evicted(&other_vm, &[&one])?);
        clear(&other_vm)?;
        clear(&vm)
    }

    #[test]
    fn private_ones_are_evicted_and_not_external() -> Result {
        let fixture = Fixture::new()?;
        let vm = vm(&fixture)?;
        let bo = bo_with(&fixture, &vm, 1)?;

        bind(&vm, &bo, 20)?;
        assert!(is_evicted(&vm, &[])?);
        move_away(&bo)?;
        let mut exec = exec()?;
        let list = evicted(&vm, exec.as_mut())?;
        assert_eq!(list.len(), 1);
        assert_eq!(exec.len(), 1);
        for vm_bo in list {
            vm_bo.set_validated(&exec)?;
        }
        drop(exec);
        assert!(is_evicted(&vm, &[])?);
        clear(&vm)?;
        drop(bo);
        Ok(())
    }

    #[test]
    fn unmapped_one_is_not_evicted() -> Result {
        let fixture = Fixture::new()?;
        let vm = vm(&fixture)?;
        let bo = fixture.bo(1)?;

        bind(&vm, &bo, 20)?;
        move_away(&bo)?;
        assert!(is_evicted(&vm, &[&bo])?);
        unmap(&vm, 20..21)?;
        // Before the clean-up as after it.
        assert!(is_evicted(&vm, &[])?);
        vm.cleanup();
        assert!(is_evicted(&vm, &[])?);
        Ok(())
    }

    #[test]
    fn lists_need_the_reservation() -> Result {
        let fixture = Fixture::new()?;
        let vm = vm(&fixture)?;
        let bo = fixture.bo(1)?;
        let vm_bo = VmBo::new(&vm, &bo)?;
        let mut exec = exec()?;

        exec.as_mut().until_all_locked(|locks| {
            assert_eq!(vm.lock_extobjs(locks), Err(EINVAL));
            assert!(vm.evicted(locks).is_err());
            locks.lock(bo.as_gem())
        })?;
        assert_eq!(vm_bo.add_extobj(&exec), Err(EINVAL));
        assert_eq!(vm_bo.set_validated(&exec), Err(EINVAL));
        drop(exec);
        drop(vm_bo);
        vm.cleanup();
        Ok(())
    }
}
