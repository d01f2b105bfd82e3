// SPDX-License-Identifier: GPL-2.0

//! Fences that stand for several.

use kernel::{
    prelude::*,
    time::msecs_to_jiffies, //
};

use super::fence;
use crate::{
    rust::dma_fence::Fence,
    tests::wait::soon, //
};

#[kunit_tests(rgt_fence_merge)]
mod tests {
    use super::*;

    #[test]
    fn all_have_to_signal() -> Result {
        let (first, first_pending) = fence()?;
        let (second, second_pending) = fence()?;
        let both = Fence::merge(&[&first, &second, &first])?;

        second_pending.signal(Ok(()));
        assert_eq!(both.wait(false, msecs_to_jiffies(20)), Err(ETIME));
        first_pending.signal(Ok(()));
        assert!(soon(|| both.is_signaled()));
        assert_eq!(both.status(), Some(Ok(())));
        Ok(())
    }

    #[test]
    fn error_of_one_is_that_of_all() -> Result {
        let (first, first_pending) = fence()?;
        let (second, second_pending) = fence()?;
        let both = Fence::merge(&[&first, &second])?;

        // Somebody has to wait before the parts are listened to.
        assert_eq!(both.wait(false, 1), Err(ETIME));
        first_pending.signal(Err(EIO));
        second_pending.signal(Ok(()));
        assert!(soon(|| both.status() == Some(Err(EIO))));
        Ok(())
    }

    #[test]
    fn no_more_than_needed_is_made() -> Result {
        let (first, first_pending) = fence()?;
        let (second, second_pending) = fence()?;
        let (third, third_pending) = fence()?;
        let both = Fence::merge(&[&first, &second])?;
        let all = Fence::merge(&[&both, &third])?;

        first_pending.signal(Ok(()));
        second_pending.signal(Ok(()));
        // The only part that is left.
        let left = Fence::merge(&[&all])?;
        assert_eq!(left.as_raw(), third.as_raw());

        third_pending.signal(Ok(()));
        assert!(Fence::merge(&[&all])?.is_signaled());
        assert!(Fence::merge(&[])?.is_signaled());
        Ok(())
    }
}
