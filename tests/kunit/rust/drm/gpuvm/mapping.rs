// SPDX-License-Identifier: GPL-2.0

//! Mappings as the page tables' owner sees them: by buffer object.

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
        Content,
        DriverGpuVm,
        GpuVm,
        MappingAllocs,
        VmBo, //
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
    type MappingData = ();
}

/// First page and VM of each mapping of a buffer object.
fn mappings_of(bo: &Bo) -> Result<KVec<(u64, *const Vm)>> {
    let mut list = KVec::with_capacity(8, GFP_KERNEL)?;
    let mut result = Ok(());

    for_each_mapping(bo, |vm: &Vm, mapping| {
        let entry = (pages(mapping.range()).start, ptr::from_ref(vm));

        if !mapping.bo().is_some_and(|other| ptr::eq(other, bo)) {
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
        let vm_bo = VmBo::new(&other, &bo)?;
        other.lock().map(
            MappingAllocs::for_map()?,
            Content::Bo(&vm_bo, 0),
            bytes(30..31),
            (),
            &mut |_| {},
        )?;
        drop(vm_bo);

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
            .unmap(MappingAllocs::for_unmap()?, bytes(PAGES), &mut |_| {})?;
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

            assert!(mapping.bo().is_some_and(|other| ptr::eq(other, &**bo)));
            Ok(())
        })?;
        clear(&vm)
    }
}
