// SPDX-License-Identifier: GPL-2.0 OR MIT

//! A range of a process's pages that a device uses.

use core::{
    ops::{
        Deref,
        Range, //
    },
    ptr,
    slice, //
};

use kernel::{
    drm,
    error::to_result,
    mm::MmWithUser,
    new_mutex,
    page::PAGE_SHIFT,
    prelude::*,
    static_lock_class,
    sync::{
        aref::ARef,
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        Mutex, //
    },
    time::{
        Delta,
        Instant,
        Monotonic, //
    },
    types::Opaque, //
};

use super::{
    GpuSvm,
    MappedPages,
    PageAddresses,
    ReadGuard,
    WriteGuard, //
};
use crate::rust::{
    bindings,
    drm::device,
    mm::{
        has_secrets,
        hmm::HmmRange,
        interval_notifier::{
            IntervalNotifier,
            IntervalOps,
            Sequence, //
        }, //
    },
    sync::RwSemaphore, //
};

/// How long pages are fetched that change again and again.
const PATIENCE: Delta = Delta::from_secs(15);

/// A driver's callbacks for changes of pages that its device may use.
///
/// The rules of [`IntervalOps`] hold.
pub trait UserPagesOps: Send + Sync + Sized + 'static {
    /// The driver of the device.
    type Driver: drm::Driver;

    /// Called with the lock held to write: what is submitted from here on must not rely on the pages.
    ///
    /// Not when the binding of the device ends: submissions have a guard of its registration.
    fn stale(&self);

    /// Waits for what was submitted before.
    fn wait_unused(&self);

    /// Called when [`UserPages::with_addresses()`] gives none any more: when this returns, the device
    /// does not access the pages.
    fn unmap(&self);
}

/// A range of a process's pages that a device uses.
///
/// They are fetched and mapped for DMA by [`Self::fetch()`], and not pinned: from then on they are
/// current, until they change. Their addresses are there for a little longer, until nothing that was
/// submitted needs them.
#[pin_data]
pub struct UserPages<T: UserPagesOps> {
    #[pin]
    notifier: IntervalNotifier<Inner<T>>,
    /// Serialises [`UserPages::fetch()`].
    #[pin]
    fetching: RwSemaphore,
    /// Set if the device is to write them.
    write: bool,
}

/// The notifier's data.
///
/// # Invariants
///
/// `pages` is initialised. Pages are mapped only as long as the device is bound.
#[pin_data(PinnedDrop)]
struct Inner<T: UserPagesOps> {
    svm: Arc<GpuSvm>,
    mapped: Arc<MappedPages>,
    dev: ARef<drm::Device<T::Driver>>,
    range: Range<usize>,
    /// Changes with the lock held, to read in [`UserPages::fetch()`] and to write elsewhere.
    #[pin]
    pages: Opaque<bindings::drm_gpusvm_pages>,
    /// Set if they have not changed since they were fetched; changes as `pages` does.
    is_current: Atomic<bool>,
    /// Set if their addresses may be used; changes as `pages` does.
    is_present: Atomic<bool>,
    /// Set if the device may write them; changes as `pages` does.
    is_writable: Atomic<bool>,
    /// Held while their use ends: when changes of several pages begin at once, each waits for it.
    #[pin]
    invalidation: Mutex<()>,
    data: T,
}

// SAFETY: `pages` is used with the lock held.
unsafe impl<T: UserPagesOps> Send for Inner<T> {}
// SAFETY: As above.
unsafe impl<T: UserPagesOps> Sync for Inner<T> {}

impl<T: UserPagesOps> UserPages<T> {
    /// Returns an initializer of a range of whole pages of `mm`, for the device `dev`, whose pages
    /// `mapped` has.
    ///
    /// `EINVAL` for a range that is empty, or not of whole pages, or for a device that is not that of
    /// `mapped`, `ENOMEM` when `mapped` has no room for it, `ENODEV` once the device is not bound, or
    /// when the module is being unloaded.
    ///
    /// Dropping it waits as an [`IntervalNotifier`] does, and it keeps the module until then.
    pub fn new<'a>(
        svm: &'a Arc<GpuSvm>,
        mapped: &'a Arc<MappedPages>,
        dev: &'a drm::Device<T::Driver>,
        mm: &'a MmWithUser,
        range: Range<usize>,
        write: bool,
        data: T,
    ) -> impl PinInit<Self, Error> + use<'a, T> {
        let addresses = range.clone();
        let inner = try_pin_init!(Inner {
            svm: svm.clone(),
            mapped: mapped.clone(),
            dev: dev.into(),
            range: range.clone(),
            is_current: Atomic::new(false),
            is_present: Atomic::new(false),
            is_writable: Atomic::new(false),
            invalidation <- new_mutex!((), "UserPages::invalidation"),
            data,
            // INVARIANT: As `drm_gpusvm_init_pages()` does it.
            pages <- Opaque::try_ffi_init(|slot| {
                let is_current: *const Atomic<bool> = is_current;
                // SAFETY: The slot and the device are valid. The slot stays where it is, as does the
                // flag, and is removed before they go. Nothing but this module uses it.
                unsafe {
                    bindings::rgt_drm_gpusvm_init_pages(slot, device::raw(dev));
                    mapped.add(svm, slot, is_current, device::raw(dev), range)
                }
            }),
        }? Error);

        try_pin_init!(Self {
            notifier <- IntervalNotifier::new(mapped.module(), mm, addresses, inner),
            fetching <- RwSemaphore::new(c"UserPages::fetching", static_lock_class!()),
            write,
        }? Error)
    }

    /// Returns whether the pages have not changed since they were fetched, and are mapped for DMA.
    /// They stay so as long as the lock is held to read. `false` if the guard is of another lock than
    /// that of the pages.
    pub fn is_current(&self, guard: &ReadGuard<'_>) -> bool {
        self.notifier.is_locked_by(guard) && self.seems_current()
    }

    /// As [`Self::is_current()`], but without the lock: the pages may have changed when this returns.
    pub fn seems_current(&self) -> bool {
        self.notifier.is_current.load(Relaxed)
    }

    /// Fetches the pages, and maps them for DMA, unless they are current. Pages that are not there
    /// are faulted in. The device may write them if it is to, and if the process may. `since` is when
    /// the caller began, with this range or another one.
    ///
    /// They may have changed again when this returns. To be called without a lock that is taken with
    /// `mmap_lock` held, such as a reservation, and without a guard of the device's registration: pages
    /// may take any time to come, of a file of FUSE for example, or those that a `userfaultfd` brings.
    ///
    /// - `EFAULT` where there is no memory, or such as a device must not or cannot access: that of
    ///   devices, and of `memfd_secret()`; and when the process is gone.
    /// - `EAGAIN` when they change, 15 seconds later or more.
    /// - `ENODEV` once the device is not bound.
    /// - `ERESTARTSYS` or `EINTR` when a signal came.
    /// - `ENOMEM`
    ///
    /// C: `drm_gpusvm_get_pages()`.
    pub fn fetch(&self, since: Instant<Monotonic>) -> Result {
        let _turn = self.fetching.write_killable()?;
        while !self.is_current_now() {
            if kernel::current!().signal_pending() {
                return Err(ERESTARTSYS);
            }
            let (is_writable, got) = match self.get(self.write) {
                // The process may not write them.
                Err(EPERM) => (false, self.get(false)),
                got => (self.write, got),
            };
            match got {
                Ok(()) => match self.finish(is_writable) {
                    Ok(true) => return Ok(()),
                    // Whatever is mapped for DMA counts as got, also if that was only to read it.
                    Ok(false) => self.notifier.unmap_pages(),
                    Err(err) => {
                        self.notifier.unmap_pages();
                        return Err(err);
                    }
                },
                // GPU SVM's patience is a second.
                Err(EBUSY) => {}
                Err(EFAULT) if !self.notifier.mapped.is_bound() => return Err(ENODEV),
                // Pages of a device that have a `struct page`.
                Err(EOPNOTSUPP) => return Err(EFAULT),
                Err(err) => return Err(err),
            }
            // They have changed meanwhile.
            if since.elapsed() > PATIENCE {
                return Err(EAGAIN);
            }
        }
        Ok(())
    }

    /// Calls `f` with the addresses of the pages, and the lock held to read; not if they are not
    /// mapped for DMA.
    ///
    /// Locks that are held meanwhile are outside of that of the [`GpuSvm`].
    pub fn with_addresses<R>(&self, f: impl FnOnce(&PageAddresses<'_>) -> R) -> Option<R> {
        let inner = &*self.notifier;
        let lock = inner.svm.read();
        if !inner.is_mapped(&lock) || !inner.is_present.load(Relaxed) {
            return None;
        }
        // SAFETY: With the lock held the pages do not change, and as they are present there is an
        // entry for each run of them, and room for one of each page.
        let entries = unsafe {
            slice::from_raw_parts(
                (*inner.pages.get()).dma_addr,
                inner.range.len() >> PAGE_SHIFT,
            )
        };
        Some(f(&PageAddresses::new(
            entries,
            inner.range.len(),
            inner.is_writable.load(Relaxed),
        )))
    }

    /// Returns whether the pages are current. If not, the notifier's sequence number says so, too.
    fn is_current_now(&self) -> bool {
        self.is_current(&self.notifier.svm.read())
    }

    /// Gets the pages. `EPERM` if the process may not write them and `write` asks for that.
    fn get(&self, write: bool) -> Result {
        let inner = &*self.notifier;
        let mut ctx = bindings::drm_gpusvm_ctx::default();

        ctx.set_read_only((!write).into());
        // SAFETY: All is valid, and `fetch()` holds `fetching`, which serialises calls. When the
        // device's binding ends, the guard of `mapped` is dropped, which is guaranteed, and marks the
        // pages so that nothing is mapped any more.
        to_result(unsafe {
            bindings::drm_gpusvm_get_pages(
                inner.svm.as_raw(),
                inner.pages.get(),
                self.notifier.mm().as_raw(),
                self.notifier.as_raw(),
                inner.range.start,
                inner.range.end,
                &raw const ctx,
            )
        })
    }

    /// Lets the pages be used that were got. Returns `false` if they have changed meanwhile.
    fn finish(&self, is_writable: bool) -> Result<bool> {
        let inner = &*self.notifier;
        // SAFETY: Only `fetch()` changes the number, which is serialised. `get()` has read it for the
        // notifier.
        let sequence =
            unsafe { Sequence::from_raw(&self.notifier, (*inner.pages.get()).notifier_seq) };
        let mm = self.notifier.mm().mmget_not_zero().ok_or(EFAULT)?;

        let has_secrets = has_secrets(&mm.mmap_read_lock(), &inner.range);
        // Nothing tells later which of them the device has written.
        let written = match is_writable.then(|| HmmRange::snapshot(sequence, inner.range.clone())) {
            Some(Err(EBUSY)) => return Ok(false),
            written => written.transpose()?,
        };

        let lock = inner.svm.read();
        if sequence.read_retry(&lock) || !inner.is_mapped(&lock) {
            return Ok(false);
        }
        if has_secrets {
            return Err(EFAULT);
        }
        if let Some(written) = written {
            // SAFETY: The pages have not changed, and the notifier takes the lock to write before they
            // do.
            unsafe { written.mark_dirty() };
        }
        inner.is_writable.store(is_writable, Relaxed);
        inner.is_present.store(true, Relaxed);
        inner.is_current.store(true, Relaxed);
        Ok(true)
    }
}

impl<T: UserPagesOps> Deref for UserPages<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.notifier.data
    }
}

impl<T: UserPagesOps> IntervalOps for Inner<T> {
    type Guard<'a> = WriteGuard<'a>;
    type ReadGuard<'a> = ReadGuard<'a>;

    fn lock(&self) -> WriteGuard<'_> {
        self.svm.write()
    }

    fn is_locked_by(&self, guard: &ReadGuard<'_>) -> bool {
        ptr::eq(guard.svm, &*self.svm)
    }

    fn begin(&self, _: &mut WriteGuard<'_>) {
        self.is_current.store(false, Relaxed);
        self.data.stale();
    }

    fn invalidate(&self) {
        let _guard = self.invalidation.lock();

        if self.is_present.load(Relaxed) {
            self.data.wait_unused();
            let lock = self.svm.write();
            self.is_present.store(false, Relaxed);
            drop(lock);
            self.data.unmap();
        }
        self.unmap_pages();
    }
}

impl<T: UserPagesOps> Inner<T> {
    /// Returns whether all pages are mapped for DMA. When the device's binding ends, nothing is any
    /// more.
    fn is_mapped(&self, _: &ReadGuard<'_>) -> bool {
        // SAFETY: Both are valid, and the lock is held.
        unsafe { bindings::drm_gpusvm_pages_valid(self.svm.as_raw(), self.pages.get()) }
    }

    /// Unmaps what is mapped for DMA.
    fn unmap_pages(&self) {
        let mut ctx = bindings::drm_gpusvm_ctx::default();

        ctx.set_in_notifier(1);
        let _lock = self.svm.write();
        // SAFETY: The pages are initialised, and the lock is held, as the context says. What is mapped
        // is of a bound device.
        unsafe {
            bindings::drm_gpusvm_unmap_pages(
                self.svm.as_raw(),
                self.pages.get(),
                self.range.len() >> PAGE_SHIFT,
                &raw const ctx,
            )
        };
    }
}

#[pinned_drop]
impl<T: UserPagesOps> PinnedDrop for Inner<T> {
    fn drop(self: Pin<&mut Self>) {
        // With the lock held to write, which excludes the guard of the device's binding.
        self.unmap_pages();
        self.mapped.remove(self.pages.get());
        // SAFETY: The pages are initialised, and the notifier is removed, which was their last user.
        // The function takes the lock, and finds nothing that is mapped.
        unsafe {
            bindings::drm_gpusvm_free_pages(
                self.svm.as_raw(),
                self.pages.get(),
                self.range.len() >> PAGE_SHIFT,
            )
        };
    }
}
