// SPDX-License-Identifier: GPL-2.0

//! Single decisions of the policy.

use kernel::prelude::*;

use crate::placement::{
    Claim,
    History,
    Purpose,
    ScanResistant, //
};

const CAPACITY: u64 = 1 << 20;

/// A BO that was used twice, `interval` apart, the last time just now.
fn used_twice(policy: &ScanResistant, interval: u64) -> History {
    let history = History::new();

    policy.used(&history, 0);
    pass(policy, interval);
    policy.used(&history, 0);
    history
}

/// Lets time pass.
fn pass(policy: &ScanResistant, bytes: u64) {
    policy.used(&History::new(), bytes);
}

#[kunit_tests(rgt_policy_claim)]
mod tests {
    use super::*;

    #[test]
    fn newcomer_has_no_claim() {
        let policy = ScanResistant::new(CAPACITY);
        let old = used_twice(&policy, CAPACITY);
        let new = History::new();

        pass(&policy, CAPACITY);
        policy.used(&new, 1);
        assert_eq!(policy.claim(&new, Some(policy.recency(&old))), None);
        assert_eq!(policy.claim(&new, None), None);
    }

    #[test]
    fn newcomer_replaces_bos_beyond_their_reuse_limit() {
        let policy = ScanResistant::new(CAPACITY);
        let old = used_twice(&policy, CAPACITY);
        let once = History::new();
        let new = History::new();
        policy.used(&once, 1);

        pass(&policy, CAPACITY * 3 / 2 + CAPACITY / 16);
        policy.used(&new, 1);
        let claim = policy.claim(&new, Some(policy.recency(&old)));
        assert!(claim.is_some_and(|claim| policy.is_evictable_for(&old, claim)));
        // Of those that were used once nothing is known.
        assert_eq!(policy.claim(&new, Some(policy.recency(&once))), None);

        pass(&policy, CAPACITY / 2);
        let claim = policy.claim(&new, Some(policy.recency(&once)));
        assert!(claim.is_some_and(|claim| policy.is_evictable_for(&once, claim)));
    }

    #[test]
    fn shorter_interval_must_be_clearly_shorter() {
        let policy = ScanResistant::new(CAPACITY);
        let old = used_twice(&policy, CAPACITY);
        let rival = used_twice(&policy, CAPACITY);

        // As long ago as the rival was away.
        assert_eq!(policy.claim(&rival, Some(policy.recency(&old))), None);
        pass(&policy, CAPACITY / 16);
        assert_eq!(policy.claim(&rival, Some(policy.recency(&old))), None);
        pass(&policy, CAPACITY / 8);
        let claim = policy.claim(&rival, Some(policy.recency(&old)));
        assert!(claim.is_some_and(|claim| policy.is_evictable_for(&old, claim)));
        // That does not make every BO evictable for it.
        assert!(claim.is_some_and(|claim| !policy.is_evictable_for(&rival, claim)));
    }

    #[test]
    fn uses_close_to_each_other_are_one() {
        let policy = ScanResistant::new(CAPACITY);
        let history = used_twice(&policy, CAPACITY / 8);
        let old = History::new();

        policy.used(&old, 1);
        assert_eq!(policy.claim(&history, None), None);
        // But if they go on, then they are a use.
        for _ in 0..2 {
            pass(&policy, CAPACITY / 8);
            policy.used(&history, 0);
        }
        assert!(policy.claim(&history, None).is_some());
    }

    #[test]
    fn history_begins_once_and_without_a_use() {
        let policy = ScanResistant::new(CAPACITY);
        let history = History::new();
        policy.begin(&history);
        let claim = policy.claim(&used_twice(&policy, CAPACITY / 2), None);

        pass(&policy, CAPACITY);
        policy.begin(&history);
        assert_eq!(policy.claim(&history, None), None);
        assert!(claim.is_some_and(|claim| policy.is_evictable_for(&history, claim)));
    }

    #[test]
    fn any_claim_beats_any_age() {
        let policy = ScanResistant::new(CAPACITY);
        let history = used_twice(&policy, CAPACITY);

        assert!(policy.is_evictable_for(&history, Claim::ANY));
    }

    #[test]
    fn purpose_survives_as_a_hint() {
        let policy = ScanResistant::new(CAPACITY);

        for purpose in [
            Some(Purpose::Need),
            Some(Purpose::Entitlement),
            Some(Purpose::Claim(Claim::ANY)),
            policy
                .claim(&used_twice(&policy, CAPACITY), None)
                .map(Purpose::Claim),
            // As long as a hint can tell, and longer.
            policy
                .claim(&used_twice(&policy, CAPACITY << 10), None)
                .map(Purpose::Claim),
        ] {
            assert!(purpose.is_some());
            assert_eq!(
                purpose.map(|purpose| Purpose::from_hint(purpose.hint())),
                purpose
            );
        }
    }

    #[test]
    fn tiny_vram_is_no_problem() {
        let policy = ScanResistant::new(0);
        let history = used_twice(&policy, 1);

        assert!(policy
            .claim(&history, None)
            .is_some_and(|claim| !policy.is_evictable_for(&history, claim)));
    }
}
