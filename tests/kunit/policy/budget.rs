// SPDX-License-Identifier: GPL-2.0

//! How fast BOs come back.

use kernel::{
    prelude::*,
    sizes::SZ_1M,
    time::Delta, //
};

use crate::placement::Budget;

const MIB: u64 = SZ_1M as u64;

/// Spends in pieces of 1 MiB, each millisecond as many as there are, and returns how many that
/// were.
fn spend_for(budget: &mut Budget, millis: core::ops::Range<i64>) -> u64 {
    let mut spent = 0;

    for milli in millis {
        while budget.has_some(Delta::from_millis(milli)) {
            budget.spend(MIB);
            spent += 1;
        }
    }
    spent
}

#[kunit_tests(rgt_policy_budget)]
mod tests {
    use super::*;

    #[test]
    fn rate_holds() {
        let mut budget = Budget::new(1600);

        // What was saved, at first.
        assert_eq!(spend_for(&mut budget, 0..1), 100);
        let spent = spend_for(&mut budget, 1..1001);
        assert!((1599..=1601).contains(&spent));
    }

    #[test]
    fn little_is_saved() {
        let mut budget = Budget::new(1600);

        spend_for(&mut budget, 0..1);
        assert_eq!(spend_for(&mut budget, 3_600_000..3_600_001), 100);
    }

    #[test]
    fn large_ones_come_on_credit() {
        let mut budget = Budget::new(1600);

        assert!(budget.has_some(Delta::ZERO));
        budget.spend(1700 * MIB);
        assert!(!budget.has_some(Delta::from_millis(999)));
        assert!(budget.has_some(Delta::from_millis(1001)));
    }

    #[test]
    fn slow_ones_get_there() {
        let mut budget = Budget::new(1);

        budget.spend(MIB);
        // Many looks do not make it slower.
        for micro in 0..930_000 {
            assert!(!budget.has_some(Delta::from_micros(micro)));
        }
        assert!(budget.has_some(Delta::from_micros(940_000)));
    }

    #[test]
    fn nothing_is_nothing() {
        let mut budget = Budget::new(0);

        assert!(!budget.has_some(Delta::ZERO));
        assert!(!budget.has_some(Delta::from_secs(3600)));
    }

    #[test]
    fn no_overflow() {
        let mut budget = Budget::new(u32::MAX);

        budget.spend(u64::MAX);
        budget.spend(u64::MAX);
        assert!(!budget.has_some(Delta::from_nanos(1)));
        assert!(!budget.has_some(Delta::from_secs(1000)));
        assert!(budget.has_some(Delta::from_nanos(i64::MAX)));
    }
}
