// SPDX-License-Identifier: GPL-2.0

//! Memory for mappings, and the references between VMs, BOs and mappings.

use kernel::prelude::*;

use super::{
    bytes,
    clear,
    is_vacant,
    map,
    unmap,
    vm,
    TestVm,
    PAGES, //
};
use crate::{
    rust::drm::gpuvm::{
        Content,
        MappingAllocs,
        VmBo, //
    },
    tests::rust::drm::ttm::fake::{
        make_busy,
        Fixture, //
    }, //
};

#[kunit_tests(rgt_gpuvm_alloc)]
mod tests {
    use super::*;

    #[test]
    fn unused_memory_is_freed() -> Result {
        let fixture = Fixture::new()?;
        let vm = vm(&fixture)?;
        let bo = fixture.bo(1)?;

        drop(MappingAllocs::<TestVm>::for_map()?);
        drop(VmBo::new(&vm, &bo)?.clone());
        vm.cleanup();
        drop(bo);
        assert_eq!(fixture.fate.gone(), 1);
        Ok(())
    }

    #[test]
    fn mapping_keeps_the_bo() -> Result {
        let fixture = Fixture::new()?;
        let vm = vm(&fixture)?;
        let bo = fixture.bo(2)?;

        map(&vm, &bo, 0, 20..22, true)?;
        map(&vm, &bo, 0, 30..32, true)?;
        drop(bo);
        unmap(&vm, 20..22)?;
        vm.cleanup();
        assert_eq!(fixture.fate.gone(), 0);

        unmap(&vm, 30..32)?;
        // The last reference is not dropped while the VM is locked.
        assert_eq!(fixture.fate.gone(), 0);
        vm.cleanup();
        assert_eq!(fixture.fate.gone(), 1);
        Ok(())
    }

    #[test]
    fn piece_of_a_mapping_keeps_the_bo() -> Result {
        let fixture = Fixture::new()?;
        let vm = vm(&fixture)?;
        let bo = fixture.bo(4)?;

        map(&vm, &bo, 0, 20..24, true)?;
        drop(bo);
        unmap(&vm, 21..23)?;
        vm.cleanup();
        unmap(&vm, 23..24)?;
        vm.cleanup();
        assert_eq!(fixture.fate.gone(), 0);
        clear(&vm)?;
        assert_eq!(fixture.fate.gone(), 1);
        Ok(())
    }

    #[test]
    fn bo_that_is_mapped_again_stays() -> Result {
        let fixture = Fixture::new()?;
        let vm = vm(&fixture)?;
        let bo = fixture.bo(1)?;

        map(&vm, &bo, 0, 20..21, true)?;
        unmap(&vm, 20..21)?;
        // Before the cleanup, as another thread would.
        map(&vm, &bo, 0, 20..21, true)?;
        vm.cleanup();
        drop(bo);
        assert_eq!(fixture.fate.gone(), 0);
        assert!(!is_vacant(&vm, 20..21));
        clear(&vm)?;
        assert_eq!(fixture.fate.gone(), 1);
        Ok(())
    }

    #[test]
    fn bo_is_of_one_vm() -> Result {
        let fixture = Fixture::new()?;
        let (one, other) = (vm(&fixture)?, vm(&fixture)?);
        let bo = fixture.bo(1)?;
        let vm_bo = VmBo::new(&one, &bo)?;

        assert!(one != other);
        assert_eq!(
            other.lock().map(
                MappingAllocs::for_map()?,
                Content::Bo(&vm_bo, 0),
                bytes(20..21),
                true,
                &mut |_| {}
            ),
            Err(EINVAL)
        );
        assert_eq!(other.lock().unmap_all(&vm_bo, &mut |_| {}), Err(EINVAL));
        drop(vm_bo);
        assert!(is_vacant(&one, PAGES));
        assert!(is_vacant(&other, PAGES));
        one.cleanup();
        Ok(())
    }

    #[test]
    fn memory_of_an_unmap_is_too_little_for_a_mapping() -> Result {
        let fixture = Fixture::new()?;
        let vm = vm(&fixture)?;
        let allocs = MappingAllocs::for_unmap()?;

        assert_eq!(
            vm.lock()
                .map(allocs, Content::Sparse, bytes(20..21), true, &mut |_| {}),
            Err(ENOMEM)
        );
        assert!(is_vacant(&vm, PAGES));
        Ok(())
    }

    #[test]
    fn vm_has_a_reservation_to_share() -> Result {
        let fixture = Fixture::new()?;
        let (one, other) = (vm(&fixture)?, vm(&fixture)?);

        assert!(one.resv().as_raw() != other.resv().as_raw());
        let _guard = one.resv().lock()?;
        assert!(one.resv().try_lock().is_none());
        assert!(other.resv().try_lock().is_some());
        Ok(())
    }

    #[test]
    fn unmapping_a_busy_bo_does_not_wait() -> Result {
        let fixture = Fixture::new()?;
        let vm = vm(&fixture)?;
        let bo = fixture.bo(1)?;
        let (_, pending) = make_busy(bo.resv())?;

        map(&vm, &bo, 0, 20..21, true)?;
        drop(bo);
        clear(&vm)?;
        assert_eq!(fixture.fate.gone(), 0);
        pending.signal(Ok(()));
        drop(vm);
        let fate = fixture.fate.clone();
        drop(fixture);
        assert_eq!(fate.gone(), 1);
        Ok(())
    }
}
