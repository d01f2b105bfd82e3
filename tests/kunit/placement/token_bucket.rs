// SPDX-License-Identifier: GPL-2.0

//! The rate at which BOs come back.

use kernel::{
    prelude::*,
    sizes::SZ_1M,
    time::Delta, //
};

use crate::placement::TokenBucket;

const MIB: u64 = SZ_1M as u64;

/// Takes 1 MiB at a time, each millisecond as often as there are tokens, and returns how often that
/// was.
fn take_for(bucket: &mut TokenBucket, millis: core::ops::Range<i64>) -> u64 {
    let mut taken = 0;

    for milli in millis {
        while bucket.has_tokens(Delta::from_millis(milli)) {
            bucket.take(MIB);
            taken += 1;
        }
    }
    taken
}

#[kunit_tests(rgt_policy_token_bucket)]
mod tests {
    use super::*;

    #[test]
    fn rate_holds() {
        let mut bucket = TokenBucket::new(1600);

        // At first, the burst.
        assert_eq!(take_for(&mut bucket, 0..1), 100);
        let taken = take_for(&mut bucket, 1..1001);
        assert!((1599..=1601).contains(&taken));
    }

    #[test]
    fn little_is_saved() {
        let mut bucket = TokenBucket::new(1600);

        take_for(&mut bucket, 0..1);
        assert_eq!(take_for(&mut bucket, 3_600_000..3_600_001), 100);
    }

    #[test]
    fn large_ones_come_on_credit() {
        let mut bucket = TokenBucket::new(1600);

        assert!(bucket.has_tokens(Delta::ZERO));
        bucket.take(1700 * MIB);
        assert!(!bucket.has_tokens(Delta::from_millis(999)));
        assert!(bucket.has_tokens(Delta::from_millis(1001)));
    }

    #[test]
    fn slow_ones_get_there() {
        let mut bucket = TokenBucket::new(1);

        bucket.take(MIB);
        // Many looks do not make it slower.
        for micro in 0..930_000 {
            assert!(!bucket.has_tokens(Delta::from_micros(micro)));
        }
        assert!(bucket.has_tokens(Delta::from_micros(940_000)));
    }

    #[test]
    fn nothing_is_nothing() {
        let mut bucket = TokenBucket::new(0);

        assert!(!bucket.has_tokens(Delta::ZERO));
        assert!(!bucket.has_tokens(Delta::from_secs(3600)));
    }

    #[test]
    fn no_overflow() {
        let mut bucket = TokenBucket::new(u32::MAX);

        bucket.take(u64::MAX);
        bucket.take(u64::MAX);
        assert!(!bucket.has_tokens(Delta::from_nanos(1)));
        assert!(!bucket.has_tokens(Delta::from_secs(1000)));
        assert!(bucket.has_tokens(Delta::from_nanos(i64::MAX)));
    }
}
