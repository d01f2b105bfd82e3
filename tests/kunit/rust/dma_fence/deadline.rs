// SPDX-License-Identifier: GPL-2.0

//! Deadlines of fences.

use kernel::{
    prelude::*,
    time::Delta, //
};

use super::fence;

/// Rounds what is left up to seconds, some time after it was set.
fn seconds(left: Option<Delta>) -> Option<i64> {
    left.map(|left| (left.as_millis() + 999) / 1000)
}

#[kunit_tests(rgt_fence_deadline)]
mod tests {
    use super::*;

    #[test]
    fn earliest_counts() -> Result {
        let (fence, pending) = fence()?;

        assert_eq!(seconds(pending.deadline()), None);
        fence.set_deadline(Delta::from_secs(2000));
        fence.set_deadline(Delta::from_secs(1000));
        fence.set_deadline(Delta::from_secs(3000));
        let left = seconds(pending.deadline()).ok_or(ENODATA)?;
        assert!((900..=1000).contains(&left));

        fence.set_deadline(Delta::from_millis(-1));
        assert!(pending.deadline().is_some_and(Delta::is_negative));
        pending.signal(Ok(()));
        // Nobody looks at it any more.
        fence.set_deadline(Delta::from_millis(-2));
        Ok(())
    }
}
