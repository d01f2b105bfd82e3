// SPDX-License-Identifier: GPL-2.0

//! The ranges of processes' memory that are bound in a VM.

use core::ops::Range;

use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            Acquire,
            Atomic,
            Relaxed,
            Release, //
        },
        Arc,
        Mutex, //
    },
    time::{
        Instant,
        Jiffies, //
    }, //
};

use super::{
    cleanup::RangePages,
    mapping::UserMapping, //
};
use crate::{
    device::{
        RgtDevice,
        RgtDriver, //
    },
    rust::{
        dma_resv::Usage,
        drm::gpusvm::{
            GpuSvm,
            UserPages,
            UserPagesOps, //
        }, //
    },
    vm::{
        data::{
            Access,
            Vm, //
        },
        stop_access::stop_access,
        trace, //
    }, //
};

/// A range of a process's memory that is bound.
pub(in crate::vm) struct UserRange {
    /// The GPU virtual addresses that it was bound at. All of its mappings are among them.
    pub(in crate::vm) va: Range<u64>,
    /// How often it is mapped, or is about to be.
    pub(super) mapped: Atomic<usize>,
    /// The [`RangeOps::revoked`] of the last rebind. Changes with the VM's reservation held.
    rebound: Atomic<u32>,
    /// [`None`] while this is dropped.
    pages: Option<Pin<KBox<RangePages>>>,
}

impl UserRange {
    /// Fetches a range of the current process's memory, from `address` on, and adds it to those of a
    /// VM.
    ///
    /// The errors are those of [`UserPages::new()`] and [`UserPages::fetch()`].
    pub(in crate::vm) fn add(
        vm: &Vm,
        dev: &RgtDevice,
        address: u64,
        va: &Range<u64>,
        access: Access,
    ) -> Result<UserMapping> {
        let start = usize::try_from(address)?;
        let addresses = start..start + (va.end - va.start) as usize;
        let task = kernel::current!();
        let mm = task.mm().ok_or(EFAULT)?;
        let ops = RangeOps {
            vm: vm.into(),
            va: va.clone(),
            revoked: Atomic::new(0),
        };

        // From here on there is something to free.
        vm.user.is_used.store(true, Relaxed);
        let pages = KBox::pin_init(
            RangePages::new(UserPages::new(
                &vm.user.svm,
                &dev.user_pages,
                dev,
                mm,
                addresses,
                access == Access::Write,
                ops,
            )),
            GFP_KERNEL_ACCOUNT,
        )?;
        // Until it is dropped.
        vm.user.bytes.fetch_add(va.end - va.start, Relaxed);
        let range = Arc::new(
            Self {
                va: va.clone(),
                mapped: Atomic::new(0),
                rebound: Atomic::new(0),
                pages: Some(pages),
            },
            GFP_KERNEL_ACCOUNT,
        )?;
        // First, so that it is not taken for one that has lost its last mapping.
        let mapping = UserMapping::new(range.clone());
        // Jobs do not wait for what is not there, or not yet.
        mapping.pages()?.fetch(Instant::now())?;
        vm.user.list.lock().push(range, GFP_KERNEL_ACCOUNT)?;
        // It may have changed before it was in the list.
        vm.user.changes.fetch_add(1, Relaxed);
        Ok(mapping)
    }

    /// Returns its pages. It has them until it is dropped.
    pub(in crate::vm) fn pages(&self) -> Result<&UserPages<RangeOps>> {
        self.pages.as_ref().map(|it| &it.pages).ok_or(EINVAL)
    }

    /// Returns whether jobs may use it.
    pub(super) fn is_mapped(&self) -> bool {
        self.mapped.load(Relaxed) != 0
    }

    /// Returns the number for [`Self::set_rebound()`] if a rebind has to map it: if it was taken out
    /// of the page tables since the last, and is there.
    pub(super) fn unwritten(&self) -> Option<u32> {
        let pages = self.pages().ok()?;
        // In this order: if it is taken out again, this is not the number any more.
        let revoked = pages.revoked.load(Acquire);
        (revoked != self.rebound.load(Relaxed) && pages.seems_current()).then_some(revoked)
    }

    /// Notes that a rebind maps it.
    pub(in crate::vm) fn set_rebound(&self, revoked: u32) {
        self.rebound.store(revoked, Relaxed);
    }

    /// Returns whether it is mapped, and its pages have changed since they were fetched.
    pub(super) fn is_stale(&self) -> bool {
        self.is_mapped() && !self.pages().is_ok_and(UserPages::seems_current)
    }
}

impl Drop for UserRange {
    fn drop(&mut self) {
        // This may be where fences signal.
        if let Some(pages) = self.pages.take() {
            pages
                .pages
                .vm
                .user
                .bytes
                .fetch_sub(self.va.end - self.va.start, Relaxed);
            RangePages::free_later(pages);
        }
    }
}

/// What is done when the pages of a range change.
pub(in crate::vm) struct RangeOps {
    pub(super) vm: ARef<Vm>,
    va: Range<u64>,
    /// How often it was taken out of the page tables.
    revoked: Atomic<u32>,
}

impl UserPagesOps for RangeOps {
    type Driver = RgtDriver;

    fn stale(&self) {
        self.vm.user.changes.fetch_add(1, Release);
    }

    fn wait_unused(&self) {
        // All fences signal, and the arguments are valid.
        let _ = self.vm.resv().wait(Usage::Bookkeep, false, Jiffies::MAX);
    }

    fn unmap(&self) {
        let mut last = None;

        self.revoked.fetch_add(1, Release);
        self.vm.lock().for_each_in(&self.va, |mapping| {
            let data = mapping.data();
            if data.user.as_ref().is_some_and(|user| user.has(self)) {
                trace::invalidated_user(&self.vm.user.dev, mapping.range());
                self.vm.space.unmap(&mapping.range());
                last = self.vm.space.invalidate(mapping.range()).or(last);
            }
        });
        stop_access(&self.vm.user.dev, last);
    }
}

/// The ranges of a VM.
#[pin_data]
pub(in crate::vm) struct UserRanges {
    pub(super) svm: Arc<GpuSvm>,
    pub(super) dev: ARef<RgtDevice>,
    /// Those that are mapped, and some that are not any more. Taken before the lock of `svm`.
    #[pin]
    pub(super) list: Mutex<KVVec<Arc<UserRange>>>,
    /// The bytes of all of them, as often as they are bound.
    pub(in crate::vm) bytes: Atomic<u64>,
    /// Set once there was one, or was to be one.
    pub(in crate::vm) is_used: Atomic<bool>,
    /// How often one became stale, with the lock of `svm` held to write, or was added.
    pub(super) changes: Atomic<u64>,
    /// How many of these a job has seen that found all of them current, and mapped or about to be.
    pub(super) settled: Atomic<u64>,
    /// Those that have been dropped, and are to be freed.
    #[pin]
    pub(super) to_free: Mutex<Option<Pin<KBox<RangePages>>>>,
}

impl UserRanges {
    /// Returns an initializer of no ranges.
    pub(in crate::vm) fn new(dev: &RgtDevice) -> impl PinInit<Self, Error> + use<> {
        let dev: ARef<RgtDevice> = dev.into();

        try_pin_init!(Self {
            svm: Arc::pin_init(GpuSvm::new(c"rust_gpu_ttm"), GFP_KERNEL_ACCOUNT)?,
            dev,
            list <- new_mutex!(KVVec::new(), "UserRanges::list"),
            bytes: Atomic::new(0),
            is_used: Atomic::new(false),
            changes: Atomic::new(0),
            settled: Atomic::new(0),
            to_free <- new_mutex!(None, "UserRanges::to_free"),
        })
    }
}
