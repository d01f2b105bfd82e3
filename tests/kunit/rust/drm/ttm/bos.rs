// SPDX-License-Identifier: GPL-2.0

//! Walking all buffer objects of a device.

use kernel::prelude::*;

use super::fake::{
    Fixture,
    PAGE,
    VRAM, //
};
use crate::rust::drm::ttm::Device;

/// The pages of all BOs, in the order of the walk.
fn sizes(fixture: &Fixture) -> Result<KVec<u64>> {
    let mut sizes = KVec::new();
    Device::of(&*fixture.drm).for_each_bo(|bo| {
        sizes.push(bo.size() as u64 / PAGE, GFP_KERNEL)?;
        Ok(())
    })?;
    Ok(sizes)
}

#[kunit_tests(rgt_ttm_bos)]
mod tests {
    use super::*;

    #[test]
    fn come_in_order() -> Result {
        let fixture = Fixture::new()?;
        assert_eq!(sizes(&fixture)?.as_slice(), &[]);

        let one = fixture.bo(1)?;
        let two = fixture.bo_in(VRAM, 2)?;
        let three = fixture.bo(3)?;
        assert_eq!(sizes(&fixture)?.as_slice(), &[1, 2, 3]);
        drop(two);
        assert_eq!(sizes(&fixture)?.as_slice(), &[1, 3]);
        drop((one, three));
        assert_eq!(sizes(&fixture)?.as_slice(), &[]);
        Ok(())
    }

    #[test]
    fn may_go_during_the_walk() -> Result {
        let fixture = Fixture::new()?;
        let mut bos = KVec::new();
        for pages in 1..=4 {
            bos.push(fixture.bo(pages)?, GFP_KERNEL)?;
        }

        // At each BO its own last reference goes, but for the walk's, and that of the one behind.
        let mut seen = KVec::new();
        Device::of(&*fixture.drm).for_each_bo(|bo| {
            seen.push(bo.size() as u64 / PAGE, GFP_KERNEL)?;
            for _ in 0..2 {
                if !bos.is_empty() {
                    drop(bos.remove(0)?);
                }
            }
            assert_eq!(bo.size() as u64 / PAGE, seen[seen.len() - 1]);
            Ok(())
        })?;
        assert_eq!(seen.as_slice(), &[1, 3]);
        assert_eq!(sizes(&fixture)?.as_slice(), &[]);
        Ok(())
    }

    #[test]
    fn may_be_made_and_reserved_during_the_walk() -> Result {
        let fixture = Fixture::new()?;
        let first = fixture.bo(1)?;
        let mut second = None;

        let mut count = 0;
        Device::of(&*fixture.drm).for_each_bo(|bo| {
            count += 1;
            drop(bo.reserve(true)?);
            if second.is_none() {
                second = Some(fixture.bo(2)?);
            }
            Ok(())
        })?;
        assert_eq!(count, 2);
        drop((first, second));
        Ok(())
    }

    #[test]
    fn walk_ends_with_an_error() -> Result {
        let fixture = Fixture::new()?;
        let bos = (fixture.bo(1)?, fixture.bo(2)?);

        let mut count = 0;
        let done = Device::of(&*fixture.drm).for_each_bo(|_| {
            count += 1;
            Err(EINTR)
        });
        assert_eq!(done, Err(EINTR));
        assert_eq!(count, 1);
        drop(bos);
        Ok(())
    }
}
