// SPDX-License-Identifier: GPL-2.0

//! Mappings as the page tables' owner sees them: by buffer object, and stale or not.

use core::ptr;

use kernel::{
    prelude::*,
    sync::aref::ARef, //
};

use super::{
    bytes,
    clear,
    map,
    pages,
    unmap,
    vm,
    Vm,
    PAGES, //
};
use crate::{
    rust::drm::gpuvm::{
        for_each_mapping,
        DriverGpuVm,
        GpuVm,
        MapAlloc,
        UnmapAlloc, //
    },
    tests::rust::drm::ttm::fake::{
        Bo,
        Fixture,
        TtmBo, //
    }, //
};

/// A VM of another kind, on the same device.
struct OtherVm;

impl DriverGpuVm for OtherVm {
    type Bo = TtmBo;
}

/// First page and VM of each mapping of a buffer object.
fn mappings_of(bo: &Bo) -> Result<KVec<(u64, *const Vm)>> {
    let mut list = KVec::with_capacity(8, GFP_KERNEL)?;
    let mut result = Ok(());

    for_each_mapping(bo, |vm: &Vm, mapping| {
        let entry = (pages(mapping.range()).start, ptr::from_ref(vm));

        if !ptr::eq(mapping.bo(), bo) {
            result = Err(EINVAL);
        } else if list.push(entry, GFP_KERNEL).is_err() {
            result = Err(ENOMEM);
        }
    });
    result?;
    Ok(list)
}

/// Returns whether a buffer object has these mappings and no others, in any order.
fn is_mapped_at(bo: &Bo, expected: &[(u64, *const Vm)]) -> Result<bool> {
    let list = mappings_of(bo)?;

    Ok(list.len() == expected.len() && expected.iter().all(|entry| list.contains(entry)))
}

/// First pages of the stale mappings of a VM.
fn stale(vm: &Vm) -> Result<KVec<u64>> {
    let mut list = KVec::new();

    vm.lock().for_each(|mapping| {
        if mapping.is_stale() {
            list.push(pages(mapping.range()).start, GFP_KERNEL)?;
        }
        Ok(())
    })?;
    Ok(list)
}

fn set_all_stale(vm: &Vm, stale: bool) -> Result {
    vm.lock().for_each(|mapping| {
        mapping.set_stale(stale);
        Ok(())
    })
}

#[kunit_tests(rgt_gpuvm_mapping)]
mod tests {
    use super::*;

    #[test]
    fn bo_knows_all_its_mappings() -> Result {
        let fixture = Fixture::new()?;
        let (one, two) = (vm(&fixture)?, vm(&fixture)?);
        let (bo, other) = (fixture.bo(4)?, fixture.bo(4)?);

        assert!(mappings_of(&bo)?.is_empty());
        map(&one, &bo, 0, 20..24, true)?;
        map(&one, &bo, 0, 30..32, true)?;
        map(&two, &bo, 0, 40..42, true)?;
        map(&two, &other, 0, 50..52, true)?;
        assert!(is_mapped_at(
            &bo,
            &[
                (20, &raw const *one),
                (30, &raw const *one),
                (40, &raw const *two)
            ]
        )?);
        assert!(is_mapped_at(&other, &[(50, &raw const *two)])?);

        // The remaining parts of a mapping are mappings of the same BO.
        unmap(&one, 21..22)?;
        assert!(is_mapped_at(
            &bo,
            &[
                (20, &raw const *one),
                (22, &raw const *one),
                (30, &raw const *one),
                (40, &raw const *two)
            ]
        )?);
        clear(&one)?;
        assert!(is_mapped_at(&bo, &[(40, &raw const *two)])?);
        clear(&two)?;
        assert!(mappings_of(&bo)?.is_empty());
        Ok(())
    }

    #[test]
    fn vms_of_another_kind_are_left_out() -> Result {
        let fixture = Fixture::new()?;
        let vm = vm(&fixture)?;
        let other: ARef<GpuVm<OtherVm>> = GpuVm::new(
            c"kunit-other",
            &fixture.drm,
            bytes(PAGES),
            Ok::<_, Error>(OtherVm),
        )?;
        let bo = fixture.bo(1)?;

        map(&vm, &bo, 0, 20..21, true)?;
        let alloc = MapAlloc::new(&other, &bo)?;
        other.lock().map(alloc, 0, bytes(30..31), true)?;

        assert!(is_mapped_at(&bo, &[(20, &raw const *vm)])?);
        let mut seen = 0;
        for_each_mapping(&bo, |_: &GpuVm<OtherVm>, mapping| {
            assert_eq!(pages(mapping.range()), 30..31);
            seen += 1;
        });
        assert_eq!(seen, 1);

        clear(&vm)?;
        other
            .lock()
            .unmap(UnmapAlloc::new()?, bytes(PAGES), &mut |_| {})?;
        other.cleanup();
        Ok(())
    }

    #[test]
    fn mapping_knows_its_bo() -> Result {
        let fixture = Fixture::new()?;
        let vm = vm(&fixture)?;
        let (one, two) = (fixture.bo(4)?, fixture.bo(4)?);

        map(&vm, &one, 0, 20..24, true)?;
        map(&vm, &two, 0, 24..28, true)?;
        // Cutting does not change it.
        unmap(&vm, 21..22)?;
        unmap(&vm, 26..27)?;
        vm.lock().for_each(|mapping| {
            let bo = if mapping.range().start < bytes(24..28).start {
                &one
            } else {
                &two
            };

            assert!(ptr::eq(mapping.bo(), &**bo));
            Ok(())
        })?;
        clear(&vm)
    }

    #[test]
    fn new_mapping_is_stale() -> Result {
        let fixture = Fixture::new()?;
        let vm = vm(&fixture)?;
        let bo = fixture.bo(4)?;

        map(&vm, &bo, 0, 20..24, true)?;
        assert_eq!(&*stale(&vm)?, &[20]);
        set_all_stale(&vm, false)?;
        map(&vm, &bo, 0, 30..34, true)?;
        assert_eq!(&*stale(&vm)?, &[30]);
        clear(&vm)
    }

    #[test]
    fn pieces_are_as_stale_as_the_whole() -> Result {
        let fixture = Fixture::new()?;
        let vm = vm(&fixture)?;
        let bo = fixture.bo(4)?;

        map(&vm, &bo, 0, 20..24, true)?;
        set_all_stale(&vm, false)?;
        map(&vm, &bo, 0, 30..34, true)?;
        unmap(&vm, 21..22)?;
        unmap(&vm, 31..32)?;
        assert_eq!(&*stale(&vm)?, &[30, 32]);
        clear(&vm)
    }

    #[test]
    fn move_makes_all_stale() -> Result {
        let fixture = Fixture::new()?;
        let (one, two) = (vm(&fixture)?, vm(&fixture)?);
        let (bo, other) = (fixture.bo(4)?, fixture.bo(4)?);

        for vm in [&one, &two] {
            map(vm, &bo, 0, 20..24, true)?;
            map(vm, &other, 0, 30..34, true)?;
            set_all_stale(vm, false)?;
        }
        for_each_mapping(&bo, |_: &Vm, mapping| mapping.set_stale(true));
        for vm in [&one, &two] {
            assert_eq!(&*stale(vm)?, &[20]);
            clear(vm)?;
        }
        Ok(())
    }
}
