// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The list of all buffer objects of a device.

use kernel::{
    interop::list::CListHead,
    new_spinlock,
    prelude::*,
    sync::SpinLock, //
};

use crate::rust::bindings;

/// A list of buffer objects that does not keep them.
///
/// # Invariants
///
/// `head` is a list of the links that [`Bos::add()`] put there and [`Bos::remove()`] has not taken
/// out; it and they are only accessed with `lock` held.
#[pin_data]
pub(super) struct Bos {
    #[pin]
    head: CListHead,
    #[pin]
    lock: SpinLock<()>,
}

impl Bos {
    /// Returns the initializer of an empty list.
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            head <- CListHead::new(),
            lock <- new_spinlock!((), "Bos::lock"),
        })
    }

    /// Appends the link of a BO.
    ///
    /// # Safety
    ///
    /// `link` must be that of a BO of this list's device, not be in a list, and be taken out of this
    /// one before it or the list goes.
    pub(super) unsafe fn add(&self, link: *mut bindings::list_head) {
        let _guard = self.lock.lock();

        // SAFETY: The lock is held, and by the safety requirements the link is in no list.
        unsafe { bindings::list_add_tail(link, self.head.as_raw()) };
    }

    /// Takes the link of a BO out.
    ///
    /// # Safety
    ///
    /// `link` must be initialised, and in this list if it is in one.
    pub(super) unsafe fn remove(&self, link: *mut bindings::list_head) {
        let _guard = self.lock.lock();

        // SAFETY: The lock is held. A link that is in no list is one by itself.
        unsafe { bindings::rgt_list_del(link) };
    }

    /// Returns the first result of `f` for the links behind `link`, or from the first on if it is
    /// [`None`]. The lock is held: the links stay in the list during a call.
    ///
    /// # Safety
    ///
    /// `link` must be in this list.
    pub(super) unsafe fn find_after<R>(
        &self,
        link: Option<*mut bindings::list_head>,
        mut f: impl FnMut(*mut bindings::list_head) -> Option<R>,
    ) -> Option<R> {
        let _guard = self.lock.lock();
        let head = self.head.as_raw();

        // SAFETY: The head, and a link that is in the list, are valid while the lock is held.
        let mut link = unsafe { (*link.unwrap_or(head)).next };
        while link != head {
            if let Some(found) = f(link) {
                return Some(found);
            }
            // SAFETY: As above.
            link = unsafe { (*link).next };
        }
        None
    }
}
