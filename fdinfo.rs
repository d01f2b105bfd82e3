// SPDX-License-Identifier: GPL-2.0

//! `/proc/PID/fdinfo`: a client's use of memory and engines.

use kernel::{
    drm,
    prelude::*, //
};

use crate::{
    bo::{
        Advice,
        Bo, //
    },
    device::RgtDevice,
    file::RgtFile,
    hw::abi::class,
    resource_mgr::REGIONS,
    rust::{
        dma_resv::Usage,
        drm::{
            fdinfo::{
                is_shared,
                FdInfo,
                MemoryStats, //
            },
            file::for_each_object,
            ttm::{
                MemType,
                Resource, //
            }, //
        }, //
    }, //
};

/// A client's memory in each region.
type Memory = [MemoryStats; REGIONS.len()];

/// Prints a client's use of the device.
pub(crate) fn show(dev: &RgtDevice<drm::Registered>, file: &drm::File<RgtFile>, out: &FdInfo<'_>) {
    let mut memory = Memory::default();
    for_each_object(file, |object| add(&mut memory, &Bo::from_gem(object)));

    for ((_, name), stats) in REGIONS.iter().zip(&memory) {
        out.memory(name, stats);
    }
    let (mut tables, mut user) = (0, 0);
    file.inner().for_each_vm(|vm| {
        if let Ok(space) = vm.space() {
            tables += space.table_bytes();
            user += vm.user_bytes();
        }
    });
    out.value(fmt!("rgt-page-tables"), fmt!("{} KiB", tables / 1024));
    out.value(fmt!("rgt-user-memory"), fmt!("{} KiB", user / 1024));
    for (class, name) in [(class::RENDER, c"render"), (class::COPY, c"copy")] {
        show_engines(dev, file, out, class, name);
    }
}

/// Prints a client's use of the engines of a class.
fn show_engines(
    dev: &RgtDevice<drm::Registered>,
    file: &drm::File<RgtFile>,
    out: &FdInfo<'_>,
    class: u32,
    name: &CStr,
) {
    let (mut engines, mut busy_ns) = (0, 0);
    for queue in dev.queues.iter() {
        let engine = queue.engine();
        if engine.class() == class {
            engines += 1;
            busy_ns += file.inner().usage.of(engine.index());
        }
    }
    if engines != 0 {
        out.engines(name, engines, busy_ns);
    }
}

/// Counts a BO: as a whole where it would best be, and its memory where it has that.
fn add(memory: &mut Memory, bo: &Bo) {
    let size = bo.size() as u64;
    if let Some(stats) = memory.get_mut(bo.request.preferred() as usize) {
        stats.add(size, is_shared(bo.as_gem()));
    }

    let Some(region) = memory_of(bo) else {
        return;
    };
    if let Some(stats) = memory.get_mut(region as usize) {
        // Jobs leave such fences on all that they use, also without implicit sync.
        let active = !bo.resv().test_signaled(Usage::Bookkeep);
        let purgeable = bo.advice.get() == Advice::DontNeed;
        stats.add_resident(size, active, purgeable);
    }
}

/// Returns the number of the region that a BO's memory is in. This waits for nothing: of a BO that
/// is reserved it is where it was when that was noted last.
fn memory_of(bo: &Bo) -> Option<u32> {
    let Some(reserved) = bo.try_reserve() else {
        return bo.record.memory();
    };
    let memory = reserved
        .resource()
        .filter(|_| reserved.has_memory())
        .map(Resource::mem_type);

    bo.record.set_memory(memory);
    reserved.release_unused();
    memory.map(MemType::as_raw)
}
