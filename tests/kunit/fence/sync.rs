// SPDX-License-Identifier: GPL-2.0

//! The fences that jobs wait for, and where they attach their own.

use kernel::prelude::*;

use crate::{
    fence::{
        BoUse,
        Dependencies,
        JobSlots,
        OutSyncs, //
    },
    rust::{
        dma_fence::Fence,
        dma_resv::{
            Resv,
            Usage, //
        }, //
    },
    tests::rust::{
        dma_fence::fence,
        dma_resv::{
            self as resv,
            OwnResv, //
        }, //
    }, //
};

/// Attaches the fence of a job of `vm` that uses `bo`.
fn attach(vm: &Resv, bo: &Resv, bo_use: BoUse, fence: &Fence) -> Result {
    let (vm, bo) = (vm.lock()?, bo.try_lock().ok_or(EBUSY)?);
    let mut slots = JobSlots::new(&vm, 1)?;

    slots.add_bo(&bo, bo_use)?;
    slots.attach_job(fence, OutSyncs::new());
    Ok(())
}

/// Returns whether a job that waits for fences of `usage` waits for any.
fn waits(resv: &Resv, usage: Usage) -> Result<bool> {
    let mut dependencies = Dependencies::new();

    dependencies.add_resv(&*resv.lock()?, usage)?;
    Ok(!dependencies.is_empty())
}

#[kunit_tests(rgt_sync)]
mod tests {
    use super::*;

    #[test]
    fn writers_wait_for_all_and_readers_for_writers() -> Result {
        use BoUse::{
            Explicit,
            Read,
            Write, //
        };

        for (first, second, expected) in [
            (Read, Read, false),
            (Read, Write, true),
            (Write, Read, true),
            (Write, Write, true),
            (Explicit, Read, false),
            (Explicit, Write, false),
            (Read, Explicit, false),
            (Write, Explicit, false),
            (Explicit, Explicit, false),
        ] {
            let (vm, bo) = (OwnResv::new()?, OwnResv::new()?);
            let (fence, pending) = fence()?;

            attach(&vm, &bo, first, &fence)?;
            assert_eq!(waits(&bo, second.waits_for())?, expected);
            // Moves and evictions wait for every job.
            assert!(waits(&bo, Usage::Bookkeep)?);
            pending.signal(Ok(()));
            assert!(!waits(&bo, Usage::Bookkeep)?);
        }
        Ok(())
    }

    #[test]
    fn every_job_waits_for_moves() -> Result {
        for bo_use in [BoUse::Explicit, BoUse::Read, BoUse::Write] {
            let bo = OwnResv::new()?;
            let (fence, pending) = fence()?;

            resv::add(&*bo.lock()?, &fence, Usage::Kernel)?;
            assert!(waits(&bo, bo_use.waits_for())?);
            pending.signal(Ok(()));
        }
        Ok(())
    }

    #[test]
    fn jobs_of_a_vm_wait_for_its_binds_only() -> Result {
        let (vm, bo) = (OwnResv::new()?, OwnResv::new()?);
        let (bind, bind_pending) = fence()?;
        let (job, job_pending) = fence()?;

        {
            let (vm, bo) = (vm.lock()?, bo.try_lock().ok_or(EBUSY)?);
            let mut slots = JobSlots::new(&vm, 1)?;
            slots.add_bo(&bo, BoUse::Write)?;
            slots.attach_bind(&bind);
            slots.attach_job(&job, OutSyncs::new());
        }

        assert!(waits(&vm, Usage::Kernel)?);
        assert!(!waits(&bo, Usage::Kernel)?);
        bind_pending.signal(Ok(()));
        assert!(!waits(&vm, Usage::Read)?);
        assert!(waits(&vm, Usage::Bookkeep)?);
        assert!(waits(&bo, Usage::Write)?);
        job_pending.signal(Ok(()));
        assert!(!waits(&vm, Usage::Bookkeep)?);
        Ok(())
    }
}
