// SPDX-License-Identifier: GPL-2.0

//! Mapping, unmapping, and mappings that are cut.

use kernel::prelude::*;

use super::{
    clear,
    is_vacant,
    map,
    mappings,
    pages,
    replace,
    unmap,
    vm,
    Removed,
    PAGES, //
};
use crate::{
    rust::drm::gpuvm::VmBo,
    tests::rust::drm::ttm::fake::Fixture, //
};

#[kunit_tests(rgt_gpuvm)]
mod tests {
    use super::*;

    #[test]
    fn new_one_is_vacant() -> Result {
        let fixture = Fixture::new()?;
        let vm = vm(&fixture)?;

        assert!(is_vacant(&vm, PAGES));
        assert!(mappings(&vm)?.is_empty());
        assert!(unmap(&vm, PAGES)?.is_empty());
        Ok(())
    }

    #[test]
    fn maps_and_unmaps() -> Result {
        let fixture = Fixture::new()?;
        let vm = vm(&fixture)?;
        let bo = fixture.bo(8)?;

        map(&vm, &bo, 2, 20..24, false)?;
        assert_eq!(&*mappings(&vm)?, &[(20..24, 2, false)]);
        assert!(!is_vacant(&vm, 20..24));
        assert!(!is_vacant(&vm, 23..24));
        assert!(!is_vacant(&vm, 16..21));
        assert!(is_vacant(&vm, 16..20));
        assert!(is_vacant(&vm, 24..100));

        assert_eq!(&*unmap(&vm, 20..24)?, &[(20, 24)]);
        assert!(is_vacant(&vm, PAGES));
        vm.cleanup();
        Ok(())
    }

    #[test]
    fn first_and_last_page_can_be_mapped() -> Result {
        let fixture = Fixture::new()?;
        let vm = vm(&fixture)?;
        let bo = fixture.bo(1)?;

        map(&vm, &bo, 0, PAGES.start..PAGES.start + 1, true)?;
        map(&vm, &bo, 0, PAGES.end - 1..PAGES.end, true)?;
        assert_eq!(mappings(&vm)?.len(), 2);
        clear(&vm)
    }

    #[test]
    fn addresses_outside_are_invalid() -> Result {
        let fixture = Fixture::new()?;
        let vm = vm(&fixture)?;
        let bo = fixture.bo(1)?;

        for at in [
            0..1,
            PAGES.start - 1..PAGES.start,
            PAGES.start - 1..PAGES.start + 1,
            PAGES.end - 1..PAGES.end + 1,
            PAGES.end..PAGES.end + 1,
            20..20,
        ] {
            assert_eq!(map(&vm, &bo, 0, at.clone(), true), Err(EINVAL));
            assert!(unmap(&vm, at.clone()).is_err() || at.is_empty());
        }
        assert!(mappings(&vm)?.is_empty());
        vm.cleanup();
        Ok(())
    }

    #[test]
    fn mapping_takes_the_place_of_others() -> Result {
        let fixture = Fixture::new()?;
        let vm = vm(&fixture)?;
        let (bo, other) = (fixture.bo(16)?, fixture.bo(8)?);

        map(&vm, &bo, 0, 20..24, true)?;
        map(&vm, &bo, 4, 24..28, true)?;
        map(&vm, &bo, 8, 28..32, true)?;
        assert_eq!(
            &*replace(&vm, Some(&other), 1, 22..30, false)?,
            &[(22, 24), (24, 28), (28, 30)]
        );
        assert_eq!(
            &*mappings(&vm)?,
            &[(20..22, 0, true), (22..30, 1, false), (30..32, 10, true)]
        );

        // All of one, and the middle of one.
        assert_eq!(&*replace(&vm, Some(&bo), 0, 22..30, true)?, &[(22, 30)]);
        assert_eq!(&*replace(&vm, Some(&other), 0, 24..26, true)?, &[(24, 26)]);
        assert_eq!(
            &*mappings(&vm)?,
            &[
                (20..22, 0, true),
                (22..24, 0, true),
                (24..26, 0, true),
                (26..30, 4, true),
                (30..32, 10, true)
            ]
        );
        clear(&vm)
    }

    #[test]
    fn sparse_mapping_is_cut_as_others() -> Result {
        let fixture = Fixture::new()?;
        let vm = vm(&fixture)?;
        let bo = fixture.bo(8)?;

        assert!(replace(&vm, None, 0, 20..40, true)?.is_empty());
        assert_eq!(&*replace(&vm, Some(&bo), 0, 28..32, true)?, &[(28, 32)]);
        let mut sparse = KVec::with_capacity(4, GFP_KERNEL)?;
        vm.lock().for_each(|mapping| {
            let is_sparse = mapping.bo().is_none();
            sparse
                .push_within_capacity((pages(mapping.range()), is_sparse))
                .map_err(|_| ENOMEM)
        })?;
        assert_eq!(&*sparse, &[(20..28, true), (28..32, false), (32..40, true)]);
        assert_eq!(&*unmap(&vm, 24..36)?, &[(24, 28), (28, 32), (32, 36)]);
        assert!(is_vacant(&vm, 24..36));
        clear(&vm)
    }

    #[test]
    fn bo_is_unmapped_everywhere() -> Result {
        let fixture = Fixture::new()?;
        let (vm, other_vm) = (vm(&fixture)?, vm(&fixture)?);
        let (bo, other) = (fixture.bo(8)?, fixture.bo(8)?);
        let mut removed = Removed::new()?;

        for at in [20, 30, 50] {
            map(&vm, &bo, 0, at..at + 4, true)?;
        }
        map(&vm, &other, 0, 40..44, true)?;
        map(&other_vm, &bo, 0, 20..24, true)?;
        let vm_bo = VmBo::new(&vm, &bo)?;
        vm.lock()
            .unmap_all(&vm_bo, &mut |range| removed.push(range))?;
        drop(vm_bo);
        removed.0.sort_unstable();
        assert_eq!(&*removed.0, &[(20, 24), (30, 34), (50, 54)]);
        assert_eq!(&*mappings(&vm)?, &[(40..44, 0, true)]);
        assert_eq!(&*mappings(&other_vm)?, &[(20..24, 0, true)]);
        clear(&other_vm)?;
        clear(&vm)
    }

    #[test]
    fn mappings_come_in_the_order_of_addresses() -> Result {
        let fixture = Fixture::new()?;
        let vm = vm(&fixture)?;
        let bo = fixture.bo(1)?;

        for at in [300, 20, 100, 21, 1000, 50] {
            map(&vm, &bo, 0, at..at + 1, true)?;
        }
        assert!(mappings(&vm)?
            .iter()
            .map(|(at, ..)| at.start)
            .eq([20, 21, 50, 100, 300, 1000]));
        clear(&vm)
    }

    #[test]
    fn walk_stops_at_an_error() -> Result {
        let fixture = Fixture::new()?;
        let vm = vm(&fixture)?;
        let bo = fixture.bo(1)?;
        let mut seen = 0;

        for at in 20..24 {
            map(&vm, &bo, 0, at..at + 1, true)?;
        }
        let result = vm.lock().for_each(|_| {
            seen += 1;
            if seen == 2 {
                return Err(EAGAIN);
            }
            Ok(())
        });
        assert_eq!(result, Err(EAGAIN));
        assert_eq!(seen, 2);
        clear(&vm)
    }

    #[test]
    fn head_is_cut_off() -> Result {
        let fixture = Fixture::new()?;
        let vm = vm(&fixture)?;
        let bo = fixture.bo(8)?;

        map(&vm, &bo, 1, 20..26, false)?;
        assert_eq!(&*unmap(&vm, 18..22)?, &[(20, 22)]);
        assert_eq!(&*mappings(&vm)?, &[(22..26, 3, false)]);
        clear(&vm)
    }

    #[test]
    fn tail_is_cut_off() -> Result {
        let fixture = Fixture::new()?;
        let vm = vm(&fixture)?;
        let bo = fixture.bo(8)?;

        map(&vm, &bo, 1, 20..26, true)?;
        assert_eq!(&*unmap(&vm, 23..30)?, &[(23, 26)]);
        assert_eq!(&*mappings(&vm)?, &[(20..23, 1, true)]);
        clear(&vm)
    }

    #[test]
    fn middle_is_cut_out() -> Result {
        let fixture = Fixture::new()?;
        let vm = vm(&fixture)?;
        let bo = fixture.bo(8)?;

        map(&vm, &bo, 1, 20..26, true)?;
        assert_eq!(&*unmap(&vm, 22..23)?, &[(22, 23)]);
        assert_eq!(&*mappings(&vm)?, &[(20..22, 1, true), (23..26, 4, true)]);

        // And the hole takes something else.
        let other = fixture.bo(1)?;
        map(&vm, &other, 0, 22..23, false)?;
        assert_eq!(
            &*mappings(&vm)?,
            &[(20..22, 1, true), (22..23, 0, false), (23..26, 4, true)]
        );
        clear(&vm)
    }

    #[test]
    fn many_go_at_once_and_both_ends_are_cut() -> Result {
        let fixture = Fixture::new()?;
        let vm = vm(&fixture)?;
        let bo = fixture.bo(8)?;

        map(&vm, &bo, 0, 20..24, true)?;
        map(&vm, &bo, 4, 24..26, false)?;
        map(&vm, &bo, 0, 30..31, true)?;
        map(&vm, &bo, 2, 40..44, true)?;
        assert_eq!(
            &*unmap(&vm, 22..41)?,
            &[(22, 24), (24, 26), (30, 31), (40, 41)]
        );
        assert_eq!(&*mappings(&vm)?, &[(20..22, 0, true), (41..44, 3, true)]);
        assert!(is_vacant(&vm, 22..41));
        clear(&vm)
    }

    #[test]
    fn pieces_are_cut_again() -> Result {
        let fixture = Fixture::new()?;
        let vm = vm(&fixture)?;
        let bo = fixture.bo(64)?;

        map(&vm, &bo, 0, 100..164, true)?;
        for page in (101..164).step_by(2) {
            assert_eq!(unmap(&vm, page..page + 1)?.len(), 1);
            vm.cleanup();
        }

        let pieces = mappings(&vm)?;
        assert_eq!(pieces.len(), 32);
        assert!(pieces
            .iter()
            .all(|(at, offset, _)| at.end - at.start == 1 && at.start - 100 == *offset));
        clear(&vm)
    }
}
