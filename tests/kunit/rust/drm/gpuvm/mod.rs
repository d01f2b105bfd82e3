// SPDX-License-Identifier: GPL-2.0

//! GPU address spaces, of a device that has no page tables.

mod alloc;
mod content;
mod displaced;
mod evict;
mod mapping;
mod split;

use core::ops::Range;

use kernel::{
    prelude::*,
    sync::aref::ARef, //
};

use super::ttm::fake::{
    Bo,
    Fixture,
    TtmBo,
    PAGE, //
};
use crate::rust::drm::gpuvm::{
    Content,
    DriverGpuVm,
    GpuVm,
    MappingAllocs,
    VmBo, //
};

/// Pages of addresses that a VM has.
const PAGES: Range<u64> = 16..1024;

pub(in crate::tests) struct TestVm;

impl DriverGpuVm for TestVm {
    type Bo = TtmBo;
    type MappingData = bool;
}

pub(in crate::tests) type Vm = GpuVm<TestVm>;

/// A VM. Its mappings must go before it.
pub(super) fn vm(fixture: &Fixture) -> Result<ARef<Vm>> {
    Vm::new(c"kunit", &fixture.drm, bytes(PAGES), Ok::<_, Error>(TestVm))
}

fn bytes(pages: Range<u64>) -> Range<u64> {
    pages.start * PAGE..pages.end * PAGE
}

fn pages(bytes: Range<u64>) -> Range<u64> {
    bytes.start / PAGE..bytes.end / PAGE
}

fn map(vm: &Vm, bo: &Bo, offset: u64, at: Range<u64>, writable: bool) -> Result {
    replace(vm, Some(bo), offset, at, writable).map(drop)
}

/// Maps pages, sparse without a BO, and returns first and end of those that were mapped before.
fn replace(
    vm: &Vm,
    bo: Option<&Bo>,
    offset: u64,
    at: Range<u64>,
    writable: bool,
) -> Result<KVec<(u64, u64)>> {
    let allocs = MappingAllocs::for_map()?;
    let vm_bo = bo.map(|bo| VmBo::new(vm, bo)).transpose()?;
    let mut removed = Removed::new()?;

    vm.lock().map(
        allocs,
        vm_bo
            .as_ref()
            .map_or(Content::Sparse, |vm_bo| Content::Bo(vm_bo, offset * PAGE)),
        bytes(at),
        writable,
        &mut |range| removed.push(range),
    )?;
    Ok(removed.0)
}

/// Unmaps pages and returns first and end of those that were mapped.
fn unmap(vm: &Vm, at: Range<u64>) -> Result<KVec<(u64, u64)>> {
    let allocs = MappingAllocs::for_unmap()?;
    let mut removed = Removed::new()?;

    vm.lock()
        .unmap(allocs, bytes(at), &mut |range| removed.push(range))?;
    Ok(removed.0)
}

/// First and end of pages that were unmapped.
struct Removed(KVec<(u64, u64)>);

impl Removed {
    fn new() -> Result<Self> {
        Ok(Self(KVec::with_capacity(64, GFP_KERNEL)?))
    }

    fn push(&mut self, range: Range<u64>) {
        let range = pages(range);

        // There is room: nothing is allocated with the VM locked.
        let pushed = self.0.push_within_capacity((range.start, range.end));
        assert!(pushed.is_ok());
    }
}

/// Unmaps all there is and lets go of the buffer objects.
fn clear(vm: &Vm) -> Result {
    unmap(vm, PAGES)?;
    vm.cleanup();
    Ok(())
}

/// Pages, offset in pages and whether the GPU may write, of each mapping in order.
fn mappings(vm: &Vm) -> Result<KVec<(Range<u64>, u64, bool)>> {
    let mut list = KVec::new();

    vm.lock().for_each(|mapping| {
        list.push(
            (
                pages(mapping.range()),
                mapping.offset() / PAGE,
                *mapping.data(),
            ),
            GFP_KERNEL,
        )?;
        Ok(())
    })?;
    Ok(list)
}

/// Returns whether no page is mapped.
fn is_vacant(vm: &Vm, at: Range<u64>) -> bool {
    vm.lock().is_vacant(&bytes(at))
}
