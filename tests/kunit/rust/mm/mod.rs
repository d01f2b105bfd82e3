// SPDX-License-Identifier: GPL-2.0

//! A process's pages.

mod hmm;
mod interval_notifier;

use core::{
    ops::Range,
    ptr, //
};

use kernel::{
    current,
    error::to_result,
    module::this_module,
    new_mutex,
    page::PAGE_SIZE,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        Mutex,
        MutexGuard, //
    }, //
};

use crate::{
    rust::{
        bindings,
        mm::interval_notifier::{
            IntervalNotifier,
            IntervalOps, //
        }, //
    },
    LocalModule, //
};

// Declared as in `helpers.h`.
unsafe extern "C" {
    fn rgt_test_mmap(test: *mut bindings::kunit, size: usize, write: bool) -> usize;
}

/// How often pages are looked at that only the kernel changes.
const TRIES: usize = 10;

/// Pages of a process that only the thread of the test has, and which ends with it.
pub(in crate::tests) struct Memory(usize);

impl Memory {
    /// Maps so many pages, which are not there yet.
    pub(in crate::tests) fn new(pages: usize, write: bool) -> Result<Self> {
        // SAFETY: The functions may be called by the thread of a test, which is running.
        let address = unsafe {
            let test = bindings::kunit_get_current_test();
            rgt_test_mmap(test, pages * PAGE_SIZE, write)
        };

        if address == 0 || address % PAGE_SIZE != 0 {
            return Err(ENOMEM);
        }
        Ok(Self(address))
    }

    /// Returns the addresses of pages.
    pub(in crate::tests) fn range(&self, pages: Range<usize>) -> Range<usize> {
        self.0 + pages.start * PAGE_SIZE..self.0 + pages.end * PAGE_SIZE
    }

    pub(in crate::tests) fn unmap(&self, pages: Range<usize>) -> Result {
        let range = self.range(pages);

        // SAFETY: Nothing but tests of the pages themselves uses them.
        to_result(unsafe { bindings::vm_munmap(range.start, range.len()) })
    }
}

/// Tries again what fails with `EBUSY` or `EAGAIN`, as the kernel may change pages at any time: it
/// migrates and reclaims them.
pub(in crate::tests) fn undisturbed<T>(mut look: impl FnMut() -> Result<T>) -> Result<T> {
    for _ in 1..TRIES {
        match look() {
            Err(EBUSY | EAGAIN) => {}
            looked => return looked,
        }
    }
    look()
}

/// What a notifier has told of.
struct Told {
    begun: Atomic<usize>,
    /// Counts only what has just begun, and with the lock free.
    invalidated: Atomic<usize>,
}

impl Told {
    fn counts(&self) -> (usize, usize) {
        (self.begun.load(Relaxed), self.invalidated.load(Relaxed))
    }
}

/// Counts changes.
#[pin_data]
struct Watch {
    #[pin]
    lock: Mutex<()>,
    told: Arc<Told>,
}

impl IntervalOps for Watch {
    type Guard<'a> = MutexGuard<'a, ()>;
    type ReadGuard<'a> = MutexGuard<'a, ()>;

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.lock.lock()
    }

    fn is_locked_by(&self, guard: &MutexGuard<'_, ()>) -> bool {
        ptr::eq(guard.lock_ref(), &self.lock)
    }

    fn begin(&self, _: &mut MutexGuard<'_, ()>) {
        self.told.begun.fetch_add(1, Relaxed);
    }

    fn invalidate(&self) {
        let (begun, invalidated) = self.told.counts();

        if begun == invalidated + 1 && self.lock.try_lock().is_some() {
            self.told.invalidated.fetch_add(1, Relaxed);
        }
    }
}

type Notifier = IntervalNotifier<Watch>;

/// Watches addresses of the current process.
fn watch(range: Range<usize>) -> Result<Pin<KBox<Notifier>>> {
    let told = Arc::new(
        Told {
            begun: Atomic::new(0),
            invalidated: Atomic::new(0),
        },
        GFP_KERNEL,
    )?;
    let task = current!();
    let mm = task.mm().ok_or(EFAULT)?;
    let watch = try_pin_init!(Watch {
        lock <- new_mutex!((), "Watch::lock"),
        told,
    });

    KBox::pin_init(
        Notifier::new(this_module::<LocalModule>(), mm, range, watch),
        GFP_KERNEL,
    )
}
