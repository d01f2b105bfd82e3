// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Semaphores that many readers or one writer hold, and that are waited for as long as a signal
//! lets.
//!
//! C header: [`include/linux/rwsem.h`](srctree/include/linux/rwsem.h)

use kernel::{
    error::to_result,
    prelude::*,
    sync::LockClassKey,
    types::{
        NotThreadSafe,
        Opaque, //
    }, //
};

use crate::rust::bindings;

/// A semaphore that many readers or one writer hold. It protects no data of its own.
///
/// Who waits to write comes before readers that ask later.
///
/// # Invariants
///
/// The semaphore is initialised.
#[pin_data]
pub(crate) struct RwSemaphore {
    #[pin]
    raw: Opaque<bindings::rw_semaphore>,
}

// SAFETY: The semaphore is one to all threads.
unsafe impl Send for RwSemaphore {}
// SAFETY: As above.
unsafe impl Sync for RwSemaphore {}

impl RwSemaphore {
    /// Returns an initializer of a semaphore that is free. `key` is its class, of which lockdep
    /// speaks by `name`.
    pub(crate) fn new(name: &'static CStr, key: Pin<&'static LockClassKey>) -> impl PinInit<Self> {
        // INVARIANT: Initialised by `__init_rwsem()`.
        pin_init!(Self {
            // SAFETY: The slot is valid; name and key are static.
            raw <- Opaque::ffi_init(|slot| unsafe {
                bindings::__init_rwsem(slot, name.as_char_ptr(), key.as_ptr());
            }),
        })
    }

    /// Waits until no writer holds the semaphore, nor waits for it. `ERESTARTSYS` when a signal
    /// came.
    ///
    /// C: `down_read_interruptible()`.
    pub(crate) fn read_interruptible(&self) -> Result<ReadGuard<'_>> {
        // SAFETY: By the type invariants.
        to_result(unsafe { bindings::down_read_interruptible(self.raw.get()) })
            .map_err(|_| ERESTARTSYS)?;

        // INVARIANT: Just taken.
        Ok(ReadGuard {
            semaphore: self,
            _not_send: NotThreadSafe,
        })
    }

    /// Waits until the semaphore is free. `ERESTARTSYS` when a signal came that kills the task.
    ///
    /// C: `down_write_killable()`.
    pub(crate) fn write_killable(&self) -> Result<WriteGuard<'_>> {
        // SAFETY: By the type invariants.
        to_result(unsafe { bindings::down_write_killable(self.raw.get()) })
            .map_err(|_| ERESTARTSYS)?;

        // INVARIANT: Just taken.
        Ok(WriteGuard {
            semaphore: self,
            _not_send: NotThreadSafe,
        })
    }
}

/// Holds a semaphore to read.
///
/// # Invariants
///
/// The current task has taken it to read.
#[must_use]
pub(crate) struct ReadGuard<'a> {
    semaphore: &'a RwSemaphore,
    _not_send: NotThreadSafe,
}

impl Drop for ReadGuard<'_> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants.
        unsafe { bindings::up_read(self.semaphore.raw.get()) };
    }
}

/// Holds a semaphore to write.
///
/// # Invariants
///
/// The current task has taken it to write.
#[must_use]
pub(crate) struct WriteGuard<'a> {
    semaphore: &'a RwSemaphore,
    _not_send: NotThreadSafe,
}

impl Drop for WriteGuard<'_> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants.
        unsafe { bindings::up_write(self.semaphore.raw.get()) };
    }
}
