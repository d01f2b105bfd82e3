// SPDX-License-Identifier: GPL-2.0

//! GPU address spaces, of a device that has no page tables.

mod alloc;
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
    DriverGpuVm,
    GpuVm,
    MapAlloc,
    UnmapAlloc, //
};

/// Pages of addresses that a VM has.
const PAGES: Range<u64> = 16..1024;

pub(super) struct TestVm;

impl DriverGpuVm for TestVm {
    type Bo = TtmBo;
}

pub(super) type Vm = GpuVm<TestVm>;

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
    let alloc = MapAlloc::new(vm, bo)?;

    vm.lock().map(alloc, offset * PAGE, bytes(at), writable)
}

/// Unmaps pages and returns first and end of those that were mapped.
fn unmap(vm: &Vm, at: Range<u64>) -> Result<KVec<(u64, u64)>> {
    let alloc = UnmapAlloc::new()?;
    let mut removed = KVec::with_capacity(8, GFP_KERNEL)?;

    vm.lock().unmap(alloc, bytes(at), &mut |range| {
        let range = pages(range);

        // Out of memory a test would fail anyway.
        let _ = removed.push((range.start, range.end), GFP_KERNEL);
    })?;
    Ok(removed)
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
                mapping.writable(),
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
