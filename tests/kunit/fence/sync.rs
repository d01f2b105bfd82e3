// SPDX-License-Identifier: GPL-2.0

//! The fences that jobs wait for, and where they attach their own.

use kernel::prelude::*;

use crate::{
    fence::{
        BoUse,
        Dependencies,
        JobSlots,
        JobUses,
        OutSyncs, //
    },
    rust::{
        dma_fence::Fence,
        dma_resv::{
            Resv,
            Usage, //
        },
        drm::exec::{
            Exec,
            ExecFlags, //
        }, //
    },
    tests::rust::{
        dma_fence::fence,
        dma_resv::{
            self as resv,
            OwnResv, //
        },
        drm::ttm::fake::{
            Bo,
            Fixture, //
        }, //
    }, //
};

/// Attaches the fence of a job that has all of `bos` locked, and uses the first so.
fn attach(bos: &[&Bo], bo_uses: &[BoUse], fence: &Fence) -> Result {
    let mut exec = KBox::pin_init(Exec::new(ExecFlags::default(), 0), GFP_KERNEL)?;
    exec.as_mut()
        .until_all_locked(|locks| bos.iter().try_for_each(|bo| locks.lock(bo.as_gem())))?;
    let (index, _) = exec.entry_of(bos[0].as_gem())?;
    let mut uses = JobUses::new(&exec, bos.len())?;

    for bo_use in bo_uses {
        uses.add(index, *bo_use)?;
    }
    let slots = JobSlots::new(exec.as_mut(), uses)?;
    slots.attach(fence, OutSyncs::new());
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

        let fixture = Fixture::new()?;
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
            let bo = fixture.bo(1)?;
            let (fence, pending) = fence()?;

            attach(&[&bo], &[first], &fence)?;
            assert_eq!(waits(bo.resv(), second.waits_for())?, expected);
            // Moves and evictions wait for every job.
            assert!(waits(bo.resv(), Usage::Bookkeep)?);
            pending.signal(Ok(()));
            assert!(!waits(bo.resv(), Usage::Bookkeep)?);
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
    fn job_keeps_what_it_does_not_name() -> Result {
        let fixture = Fixture::new()?;
        let bos = [fixture.bo(1)?, fixture.bo(1)?, fixture.bo(1)?];
        let (fence, pending) = fence()?;

        attach(&[&bos[1], &bos[0], &bos[2]], &[BoUse::Write], &fence)?;
        assert!(waits(bos[1].resv(), Usage::Write)?);
        for bo in [&bos[0], &bos[2]] {
            assert!(!waits(bo.resv(), Usage::Read)?);
            assert!(waits(bo.resv(), Usage::Bookkeep)?);
        }
        pending.signal(Ok(()));
        Ok(())
    }

    #[test]
    fn strictest_use_counts() -> Result {
        let fixture = Fixture::new()?;
        let bo = fixture.bo(1)?;
        let (fence, pending) = fence()?;

        attach(
            &[&bo],
            &[BoUse::Read, BoUse::Write, BoUse::Explicit],
            &fence,
        )?;
        assert!(waits(bo.resv(), Usage::Write)?);
        pending.signal(Ok(()));
        Ok(())
    }
}
