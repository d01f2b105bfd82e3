// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The pages of processes that are mapped for a device's DMA, which ends with its binding.

use core::{
    ops::Range,
    ptr, //
};

use kernel::{
    drm,
    new_mutex,
    page::{
        PAGE_SHIFT,
        PAGE_SIZE, //
    },
    prelude::*,
    rbtree::RBTree,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        Mutex, //
    }, //
};

use super::GpuSvm;
use crate::rust::{
    bindings,
    drm::device,
    module::DropGuarantee, //
};

/// All of a device's [`UserPages`](super::UserPages), of so many bytes together at most: for each page
/// there are 16 bytes of addresses, which are not charged to any cgroup.
#[pin_data]
pub struct MappedPages {
    module: &'static ThisModule,
    limit: usize,
    #[pin]
    all: Mutex<All>,
}

struct All {
    /// The device, while there is a [`MappedPagesGuard`].
    dev: *const bindings::drm_device,
    /// The bytes of all entries.
    bytes: usize,
    /// By the addresses of their pages' structures.
    entries: RBTree<usize, Entry>,
}

/// Pages that may be mapped.
///
/// # Invariants
///
/// The pointers are valid until the entry is removed, and of each other.
struct Entry {
    svm: *const GpuSvm,
    pages: *mut bindings::drm_gpusvm_pages,
    /// Cleared with the lock of `svm` held to write.
    is_current: *const Atomic<bool>,
    count: usize,
}

// SAFETY: What it points to is used with locks held that any thread can take.
unsafe impl Send for Entry {}
// SAFETY: As above; the device is only compared.
unsafe impl Send for All {}

/// The most bytes of one range, for whose addresses the allocator has room.
const MOST: usize = (i32::MAX as usize / size_of::<bindings::drm_pagemap_addr>()) << PAGE_SHIFT;

impl MappedPages {
    /// Creates it, for a device of the driver of `module` that is about to be bound.
    pub fn new(module: &'static ThisModule, limit: usize) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                module,
                limit,
                all <- new_mutex!(
                    All {
                        dev: ptr::null(),
                        bytes: 0,
                        entries: RBTree::new(),
                    },
                    "MappedPages::all"
                ),
            }),
            GFP_KERNEL,
        )
    }

    /// Adds the pages of a range. `ENODEV` while the device is not bound, `EINVAL` for another one and
    /// for what are no whole pages, `ENOMEM` when there are too many.
    ///
    /// # Safety
    ///
    /// `svm`, `pages` and `is_current` must be valid until [`Self::remove()`], and `pages` only be used
    /// with the former's lock held.
    pub(super) unsafe fn add(
        &self,
        svm: &GpuSvm,
        pages: *mut bindings::drm_gpusvm_pages,
        is_current: *const Atomic<bool>,
        dev: *const bindings::drm_device,
        range: &Range<usize>,
    ) -> Result {
        let size = range.len();
        let mut all = self.all.lock();

        if all.dev.is_null() {
            return Err(ENODEV);
        }
        if all.dev != dev || size == 0 || (range.start | range.end) % PAGE_SIZE != 0 {
            return Err(EINVAL);
        }
        let bytes = all.bytes.checked_add(size).ok_or(ENOMEM)?;
        if size > MOST || bytes > self.limit {
            return Err(ENOMEM);
        }
        // INVARIANT: By the safety requirements.
        let entry = Entry {
            svm,
            pages,
            is_current,
            count: size >> PAGE_SHIFT,
        };
        all.entries
            .try_create_and_insert(pages.addr(), entry, GFP_KERNEL_ACCOUNT)?;
        all.bytes = bytes;
        Ok(())
    }

    /// Returns the module of the device's driver.
    pub(super) fn module(&self) -> &'static ThisModule {
        self.module
    }

    /// Returns whether the device is bound.
    pub(super) fn is_bound(&self) -> bool {
        !self.all.lock().dev.is_null()
    }

    /// Removes pages.
    pub(super) fn remove(&self, pages: *mut bindings::drm_gpusvm_pages) {
        let mut all = self.all.lock();

        if let Some(entry) = all.entries.remove(&pages.addr()) {
            all.bytes -= entry.count << PAGE_SHIFT;
        }
    }
}

/// Unmaps all pages of processes from a device when it is dropped. None is current from then on.
///
/// The hardware must have stopped, and the device be unregistered. Pages can outlive the binding of
/// the device, DMA mappings may not: keep this in the bus device's data, so that it is dropped after
/// the DRM registration and before the binding ends.
pub struct MappedPagesGuard(Arc<MappedPages>);

impl MappedPagesGuard {
    /// Creates the guard of the pages of `dev`. `EBUSY` if they have one.
    ///
    /// The [`DropGuarantee`] is for the returned object.
    pub(crate) fn new<T: drm::Driver>(
        _: DropGuarantee,
        dev: &drm::Device<T>,
        mapped: &Arc<MappedPages>,
    ) -> Result<Self> {
        let mut all = mapped.all.lock();

        if !all.dev.is_null() {
            return Err(EBUSY);
        }
        all.dev = device::raw(dev);
        Ok(Self(mapped.clone()))
    }
}

impl Drop for MappedPagesGuard {
    fn drop(&mut self) {
        let mut all = self.0.all.lock();

        all.dev = ptr::null();
        for (_, entry) in all.entries.iter() {
            let mut ctx = bindings::drm_gpusvm_ctx::default();

            ctx.set_in_notifier(1);
            // SAFETY: It is valid by the type invariants, as an entry is removed before it is freed.
            let svm = unsafe { &*entry.svm };
            let _lock = svm.write();
            // SAFETY: As above; the lock is held, as the context says. Getting pages ends with
            // `EFAULT` from here on: it looks at the mark before it maps them, with the lock held.
            unsafe {
                (*entry.is_current).store(false, Relaxed);
                bindings::rgt_drm_gpusvm_set_unmapped(entry.pages);
                bindings::drm_gpusvm_unmap_pages(
                    svm.as_raw(),
                    entry.pages,
                    entry.count,
                    &raw const ctx,
                );
            }
        }
    }
}
