// SPDX-License-Identifier: GPL-2.0

//! Identity of BOs, and what their moves say of them.

use kernel::prelude::*;

use crate::{
    bo::{
        BoRecord,
        MoveReason, //
    },
    resource_mgr::SCRATCHPAD,
    rust::drm::ttm::MemType, //
};

/// Returns the record of a BO that was evicted from VRAM to GTT.
fn evicted() -> BoRecord {
    let record = BoRecord::of_client(1);

    record.moved(MoveReason::First, None, MemType::VRAM);
    record.moved(MoveReason::Evict, Some(MemType::VRAM), MemType::TT);
    record
}

#[kunit_tests(rgt_bo_record)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_unique_and_rise() {
        let records = [
            BoRecord::of_client(7),
            BoRecord::of_import(),
            BoRecord::of_kernel(),
        ];

        assert!(records[0].id() < records[1].id());
        assert!(records[1].id() < records[2].id());
        assert_eq!(records[0].client(), 7);
        assert_eq!(records[1].client(), 0);
        assert_eq!(records[2].pid(), 0);
    }

    #[test]
    fn reason_lasts_as_long_as_its_guard() {
        let record = BoRecord::of_client(1);
        assert_eq!(record.cause(), None);

        for reason in MoveReason::ALL {
            let moving = record.moving(reason);
            assert_eq!(record.cause(), Some(reason));
            drop(moving);
            assert_eq!(record.cause(), None);
        }
    }

    #[test]
    fn kernel_bos_always_have_their_reason() {
        assert_eq!(BoRecord::of_kernel().cause(), Some(MoveReason::KernelBo));
    }

    #[test]
    fn only_an_eviction_from_vram_makes_a_bo_evicted() {
        let record = BoRecord::of_client(1);

        record.moved(MoveReason::First, None, MemType::TT);
        record.moved(MoveReason::Evict, Some(MemType::TT), MemType::SYSTEM);
        record.moved(MoveReason::Evict, Some(SCRATCHPAD), MemType::TT);
        record.moved(MoveReason::Validate, Some(MemType::VRAM), MemType::TT);
        assert!(!record.was_evicted());

        record.moved(MoveReason::Evict, Some(MemType::VRAM), MemType::TT);
        assert!(record.was_evicted());
    }

    #[test]
    fn hop_out_of_vram_counts_until_the_bo_is_where_it_was_wanted() {
        let record = BoRecord::of_client(1);

        record.moved(MoveReason::Hop, Some(MemType::VRAM), MemType::TT);
        assert!(record.was_evicted());
        record.moved(MoveReason::Fault, Some(MemType::TT), MemType::SYSTEM);
        assert!(!record.was_evicted());

        record.moved(MoveReason::Hop, Some(MemType::VRAM), MemType::TT);
        record.moved(MoveReason::Evict, Some(MemType::TT), MemType::SYSTEM);
        assert!(record.was_evicted());
    }

    #[test]
    fn evicted_bo_stays_evicted_until_it_is_back() {
        let record = evicted();

        record.moved(MoveReason::Shrink, Some(MemType::TT), MemType::SYSTEM);
        record.moved(MoveReason::Validate, Some(MemType::SYSTEM), MemType::TT);
        assert!(record.was_evicted());
        record.moved(MoveReason::BackToVram, Some(MemType::TT), MemType::VRAM);
        assert!(!record.was_evicted());
    }
}
