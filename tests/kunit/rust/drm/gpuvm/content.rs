// SPDX-License-Identifier: GPL-2.0

//! Mappings of no buffer object, which the driver's data tells of.

use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    }, //
};

use super::{
    bytes,
    pages,
    PAGE,
    PAGES, //
};
use crate::{
    rust::drm::gpuvm::{
        Content,
        DriverGpuVm,
        GpuVm,
        MappingAllocs, //
    },
    tests::rust::drm::ttm::fake::{
        Fixture,
        TtmBo, //
    }, //
};

/// A VM whose mappings are counted.
struct CountedVm;

impl DriverGpuVm for CountedVm {
    type Bo = TtmBo;
    type MappingData = Counted;
}

/// One of so many.
struct Counted(Arc<Atomic<usize>>);

impl Counted {
    fn new(count: &Arc<Atomic<usize>>) -> Self {
        count.fetch_add(1, Relaxed);
        Self(count.clone())
    }
}

impl Clone for Counted {
    fn clone(&self) -> Self {
        Self::new(&self.0)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

#[kunit_tests(rgt_gpuvm_content)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_has_the_rest_of_it() -> Result {
        let fixture = Fixture::new()?;
        let count = Arc::new(Atomic::new(0), GFP_KERNEL)?;
        let vm: ARef<GpuVm<CountedVm>> = GpuVm::new(
            c"kunit-counted",
            &fixture.drm,
            bytes(PAGES),
            Ok::<_, Error>(CountedVm),
        )?;

        vm.lock().map(
            MappingAllocs::for_map()?,
            Content::Other(5 * PAGE),
            bytes(20..30),
            Counted::new(&count),
            &mut |_| {},
        )?;
        assert_eq!(count.load(Relaxed), 1);
        vm.lock()
            .unmap(MappingAllocs::for_unmap()?, bytes(23..25), &mut |_| {})?;
        assert_eq!(count.load(Relaxed), 2);
        let mut expected = [(20..23, 5), (25..30, 10)].into_iter();
        vm.lock().for_each(|mapping| {
            let found = (pages(mapping.range()), mapping.offset() / PAGE);
            assert!(expected.next().is_some_and(|expected| expected == found));
            assert!(mapping.bo().is_none());
            Ok(())
        })?;
        assert!(expected.next().is_none());

        let mut removed = 0;
        vm.lock()
            .unmap(MappingAllocs::for_unmap()?, bytes(PAGES), &mut |range| {
                removed += (range.end - range.start) / PAGE;
            })?;
        assert_eq!(removed, 8);
        assert_eq!(count.load(Relaxed), 0);
        Ok(())
    }
}
