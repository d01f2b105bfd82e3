// SPDX-License-Identifier: GPL-2.0

//! Buffer objects of the kernel's own.

use kernel::{
    page::PAGE_SIZE,
    prelude::*,
    sizes::SZ_4K, //
};

use super::fake::{
    Fixture,
    TtmBo,
    GTT_PAGES,
    PAGE,
    SYSTEM,
    TT, //
};
use crate::rust::drm::ttm::{
    AllocFlags,
    KernelBo,
    MemType, //
};

const SIZE: usize = 3 * PAGE_SIZE;

fn kernel_bo(fixture: &Fixture) -> Result<KernelBo<'_, TtmBo>> {
    KernelBo::new(
        &fixture.drm,
        fixture.bound(),
        SIZE,
        TT,
        Ok::<_, Error>(fixture.data()),
    )
}

#[kunit_tests(rgt_kernel_bo)]
mod tests {
    use super::*;

    #[test]
    fn holds_what_was_written() -> Result {
        let fixture = Fixture::new()?;
        let bo = kernel_bo(&fixture)?;

        assert_eq!(bo.size(), SIZE);
        for word in 0..SIZE / 8 {
            bo.write(word * 8, &(word as u64))?;
        }
        for word in 0..SIZE / 8 {
            assert_eq!(bo.read::<u64>(word * 8)?, word as u64);
        }
        // Of any size and at any offset.
        bo.write(SZ_4K - 1, &[0xaa_u8, 0xbb])?;
        assert_eq!(bo.read::<[u8; 2]>(SZ_4K - 1)?, [0xaa, 0xbb]);
        Ok(())
    }

    #[test]
    fn nothing_outside_is_accessed() -> Result {
        let fixture = Fixture::new()?;
        let bo = kernel_bo(&fixture)?;

        assert!(bo.read::<u32>(SIZE - 4).is_ok());
        for offset in [SIZE - 3, SIZE, SIZE + 4, usize::MAX - 3, usize::MAX] {
            assert!(matches!(bo.read::<u32>(offset), Err(EINVAL)));
            assert!(matches!(bo.write(offset, &0_u32), Err(EINVAL)));
        }
        Ok(())
    }

    #[test]
    fn has_its_place_for_life() -> Result {
        let fixture = Fixture::new()?;
        let all = GTT_PAGES as u64 * PAGE;
        {
            let bo = kernel_bo(&fixture)?;
            let pages = bo.tt().and_then(|tt| tt.dma_addresses()).ok_or(EINVAL)?;

            assert!(bo.resource().mem_type() == MemType::TT);
            assert_eq!(pages.len(), SIZE / PAGE_SIZE);
            // Others leave, it does not.
            assert!(matches!(fixture.bo_in(TT, GTT_PAGES), Err(ENOSPC)));
            assert_eq!(fixture.gtt.usage(), SIZE as u64);
            assert!(bo.resource().mem_type() == MemType::TT);
        }
        let _all = fixture.bo_in(TT, GTT_PAGES)?;

        assert_eq!(fixture.gtt.usage(), all);
        assert_eq!(fixture.fate.gone(), 2);
        Ok(())
    }

    #[test]
    fn device_must_be_its_own() -> Result {
        let (fixture, other) = (Fixture::new()?, Fixture::new()?);
        let result = KernelBo::new(
            &fixture.drm,
            other.bound(),
            SIZE,
            TT,
            Ok::<_, Error>(fixture.data()),
        );

        assert!(matches!(result.map(|bo| bo.size()), Err(EINVAL)));
        Ok(())
    }

    #[test]
    fn failure_leaves_nothing() -> Result {
        let fixture = Fixture::with(2, AllocFlags::PROPAGATE_ENOSPC)?;

        assert!(matches!(
            kernel_bo(&fixture).map(|bo| bo.size()),
            Err(ENOSPC)
        ));
        assert_eq!(fixture.gtt.usage(), 0);
        assert_eq!(fixture.fate.gone(), 1);
        drop(fixture.bo_in(SYSTEM, 1)?);
        Ok(())
    }
}
