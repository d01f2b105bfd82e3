// SPDX-License-Identifier: GPL-2.0

//! Statistics of moves.

use kernel::prelude::*;

use crate::bo::{
    MoveReason,
    MoveStats, //
};

#[kunit_tests(rgt_bo_stats)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_in_the_order_of_their_numbers() {
        for (index, reason) in MoveReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index);
        }
    }

    #[test]
    fn names_are_unique() {
        for reason in MoveReason::ALL {
            let same = MoveReason::ALL
                .into_iter()
                .filter(|other| other.name() == reason.name());
            assert_eq!(same.count(), 1);
        }
    }

    #[test]
    fn moves_count_for_their_reason_only() {
        let stats = MoveStats::new();

        stats.moved(MoveReason::Evict, 4096);
        stats.moved(MoveReason::Evict, 0);
        stats.moved(MoveReason::Purge, 8192);
        for reason in MoveReason::ALL {
            let expected = match reason {
                MoveReason::Evict => (2, 4096),
                MoveReason::Purge => (1, 8192),
                _ => (0, 0),
            };
            assert_eq!(stats.get(reason), expected);
        }
    }
}
