// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The `/proc/PID/fdinfo` file of a client of a DRM device.
//!
//! C header: [`include/drm/drm_file.h`](srctree/include/drm/drm_file.h)

use kernel::{
    drm::gem::IntoGEMObject,
    fmt,
    prelude::*,
    str::CStr, //
};

use super::print::{
    drm_printf,
    Printer, //
};
use crate::rust::bindings;

/// The fdinfo file that is being printed.
pub struct FdInfo<'a>(Printer<'a>);

impl FdInfo<'_> {
    /// # Safety
    ///
    /// `printer` must be valid, and have no other user, for as long as the result is used.
    pub(in crate::rust) unsafe fn from_raw(printer: *mut bindings::drm_printer) -> Self {
        // SAFETY: By the safety requirements.
        Self(unsafe { Printer::from_raw(printer) })
    }

    /// Prints the keys of a memory region: all of them, also for what is 0.
    ///
    /// C: `drm_print_memory_stats()`.
    pub fn memory(&self, region: &CStr, stats: &MemoryStats) {
        const SUPPORTED: bindings::drm_gem_object_status =
            bindings::drm_gem_object_status_DRM_GEM_OBJECT_RESIDENT
                | bindings::drm_gem_object_status_DRM_GEM_OBJECT_PURGEABLE
                | bindings::drm_gem_object_status_DRM_GEM_OBJECT_ACTIVE;

        // SAFETY: The printer is valid, C copies the rest.
        unsafe {
            bindings::drm_print_memory_stats(
                self.0.as_raw(),
                &stats.0,
                SUPPORTED,
                region.as_char_ptr(),
            )
        };
    }

    /// Prints the keys of a group of `capacity` engines that a client has kept busy for `busy_ns`
    /// nanoseconds in all.
    pub fn engines(&self, name: &CStr, capacity: usize, busy_ns: u64) {
        self.value(fmt!("drm-engine-{name}"), fmt!("{busy_ns} ns"));
        if capacity != 1 {
            self.value(fmt!("drm-engine-capacity-{name}"), fmt!("{capacity}"));
        }
    }

    /// Prints a key and its value, for keys that have no helper.
    pub fn value(&self, key: fmt::Arguments<'_>, value: fmt::Arguments<'_>) {
        drm_printf!(self.0, "{key}:\t{value}\n");
    }
}

/// A client's use of one memory region, in bytes.
///
/// Equivalent of `struct drm_memory_stats`.
#[derive(Default)]
pub struct MemoryStats(bindings::drm_memory_stats);

impl MemoryStats {
    /// Counts an object of `bytes` bytes that is accounted to this region.
    pub fn add(&mut self, bytes: u64, shared: bool) {
        if shared {
            self.0.shared += bytes;
        } else {
            self.0.private += bytes;
        }
    }

    /// Counts an object that has its memory in this region, and is `active` when jobs use it; one
    /// that is not may be `purgeable`.
    pub fn add_resident(&mut self, bytes: u64, active: bool, purgeable: bool) {
        self.0.resident += bytes;
        if active {
            self.0.active += bytes;
        } else if purgeable {
            self.0.purgeable += bytes;
        }
    }
}

/// Returns whether more than this one handle, or a dma-buf, refers to an object.
///
/// C: `drm_gem_object_is_shared_for_memory_stats()`.
pub fn is_shared<O: IntoGEMObject>(object: &O) -> bool {
    // SAFETY: A GEM object is valid for the borrow.
    unsafe { bindings::rgt_drm_gem_object_is_shared(object.as_raw()) }
}
