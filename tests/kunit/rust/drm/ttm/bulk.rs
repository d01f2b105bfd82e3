// SPDX-License-Identifier: GPL-2.0

//! Buffer objects that move on the LRU lists as one.

use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    }, //
};

use super::{
    fake::{
        mem_type,
        validate,
        Bo,
        Fixture,
        TT,
        VRAM,
        VRAM_PAGES, //
    },
    shared::bo_with, //
};
use crate::{
    rust::drm::ttm::{
        BulkMove,
        DmaMappings,
        MemType,
        Priority, //
    },
    tests::{
        rust::drm::gpuvm::{
            vm,
            Vm, //
        },
        wait::{
            settle,
            soon, //
        }, //
    }, //
};

const QUARTER: usize = VRAM_PAGES / 4;
const VRAM_TYPE: Option<MemType> = Some(MemType::VRAM);
const TT_TYPE: Option<MemType> = Some(MemType::TT);

fn bulk_of(fixture: &Fixture, vm: &Vm) -> Result<Arc<BulkMove>> {
    BulkMove::new(&*fixture.drm, vm.resv_object())
}

fn set(bo: &Bo, bulk: Option<&Arc<BulkMove>>) -> Result {
    bo.reserve(false)?.reserved().set_bulk_move(bulk)
}

/// A quarter of VRAM, in a bulk move.
fn member(fixture: &Fixture, vm: &Vm, bulk: &Arc<BulkMove>) -> Result<ARef<Bo>> {
    let bo = bo_with(fixture, vm, QUARTER)?;

    set(&bo, Some(bulk))?;
    validate(&bo, &[VRAM])?;
    Ok(bo)
}

fn touch(bulk: &BulkMove, vm: &Vm) -> Result {
    bulk.move_to_tail(&*vm.resv().lock()?)
}

#[kunit_tests(rgt_bo_bulk)]
mod tests {
    use super::*;

    #[test]
    fn all_are_used_at_once() -> Result {
        let fixture = Fixture::new()?;
        let vm = vm(&fixture)?;
        let bulk = bulk_of(&fixture, &vm)?;
        let one = member(&fixture, &vm, &bulk)?;
        let two = member(&fixture, &vm, &bulk)?;
        let idle = fixture.bo_in(VRAM, 2 * QUARTER)?;

        touch(&bulk, &vm)?;
        let _new = fixture.bo_in(VRAM, QUARTER)?;
        assert_eq!(mem_type(&idle)?, TT_TYPE);
        assert_eq!(mem_type(&one)?, VRAM_TYPE);

        // They are in the middle now, in their order.
        let _newer = fixture.bo_in(VRAM, QUARTER)?;
        let _newest = fixture.bo_in(VRAM, QUARTER)?;
        assert_eq!(mem_type(&one)?, TT_TYPE);
        assert_eq!(mem_type(&two)?, VRAM_TYPE);

        // The one that has left goes on in the other type.
        touch(&bulk, &vm)
    }

    #[test]
    fn use_of_one_stays_among_them() -> Result {
        let fixture = Fixture::new()?;
        let vm = vm(&fixture)?;
        let bulk = bulk_of(&fixture, &vm)?;
        let one = member(&fixture, &vm, &bulk)?;
        let two = member(&fixture, &vm, &bulk)?;
        let _idle = fixture.bo_in(VRAM, 2 * QUARTER)?;

        one.reserve(false)?.touch();
        let _new = fixture.bo_in(VRAM, QUARTER)?;
        assert_eq!(mem_type(&one)?, VRAM_TYPE);
        assert_eq!(mem_type(&two)?, TT_TYPE);

        set(&one, None)?;
        let _newer = fixture.bo_in(VRAM, QUARTER)?;
        assert_eq!(mem_type(&one)?, TT_TYPE);
        Ok(())
    }

    #[test]
    fn priorities_are_moved_apart() -> Result {
        let fixture = Fixture::new()?;
        let vm = vm(&fixture)?;
        let bulk = bulk_of(&fixture, &vm)?;
        let dear = member(&fixture, &vm, &bulk)?;
        let cheap = member(&fixture, &vm, &bulk)?;
        let idle = fixture.bo_in(VRAM, 2 * QUARTER)?;

        dear.reserve(false)?.touch_as(Priority::new::<1>());
        touch(&bulk, &vm)?;
        let _new = fixture.bo_in(VRAM, 3 * QUARTER)?;
        assert_eq!(mem_type(&idle)?, TT_TYPE);
        assert_eq!(mem_type(&cheap)?, TT_TYPE);
        assert_eq!(mem_type(&dear)?, VRAM_TYPE);
        Ok(())
    }

    #[test]
    fn destroyed_bo_has_left() -> Result {
        let fixture = Fixture::new()?;
        let vm = vm(&fixture)?;
        let bulk = bulk_of(&fixture, &vm)?;
        let first = member(&fixture, &vm, &bulk)?;
        let middle = member(&fixture, &vm, &bulk)?;
        let last = member(&fixture, &vm, &bulk)?;

        drop(first);
        assert_eq!(fixture.fate.gone(), 1);
        {
            let guard = vm.resv().lock()?;

            // Waits for the lock elsewhere.
            drop(last);
            settle();
            assert_eq!(fixture.fate.gone(), 1);
            bulk.move_to_tail(&guard)?;
        }
        assert!(soon(|| fixture.fate.gone() == 2));
        touch(&bulk, &vm)?;
        assert_eq!(mem_type(&middle)?, VRAM_TYPE);
        Ok(())
    }

    #[test]
    fn bo_keeps_its_bulk_move() -> Result {
        let fixture = Fixture::new()?;
        let vm = vm(&fixture)?;
        let bulk = bulk_of(&fixture, &vm)?;
        let bo = member(&fixture, &vm, &bulk)?;

        drop((bulk, vm));
        validate(&bo, &[TT])?;
        bo.reserve(false)?.touch();
        drop(bo);
        assert_eq!(fixture.fate.gone(), 1);
        Ok(())
    }

    #[test]
    fn strangers_stay_out() -> Result {
        let fixture = Fixture::new()?;
        let (one, other) = (vm(&fixture)?, vm(&fixture)?);
        let bulk = bulk_of(&fixture, &one)?;
        let stranger = fixture.bo_in(VRAM, 1)?;
        let others = bo_with(&fixture, &other, 1)?;

        assert_eq!(set(&stranger, Some(&bulk)), Err(EINVAL));
        assert_eq!(set(&others, Some(&bulk)), Err(EINVAL));
        assert_eq!(touch(&bulk, &other), Err(EINVAL));

        let foreign = Fixture::new()?;
        let result = BulkMove::new(&*foreign.drm, one.resv_object());
        assert_eq!(result.err(), Some(EINVAL));
        Ok(())
    }

    #[test]
    fn unbound_device_has_none() -> Result {
        let fixture = Fixture::new()?;
        let vm = vm(&fixture)?;
        let bulk = bulk_of(&fixture, &vm)?;
        let bo = member(&fixture, &vm, &bulk)?;

        drop(DmaMappings::new(&fixture.drm));
        assert_eq!(set(&bo, Some(&bulk)), Err(ENODEV));
        let guard = vm.resv().lock()?;
        // There is nothing to wait for.
        drop(bo);
        assert_eq!(fixture.fate.gone(), 1);
        drop(guard);
        Ok(())
    }
}
