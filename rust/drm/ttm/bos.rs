// SPDX-License-Identifier: GPL-2.0 OR MIT

//! All buffer objects of a device, for debugfs and the like.

use core::marker::PhantomData;

use kernel::{
    interop::list::CListHead,
    new_spinlock,
    prelude::*,
    sync::{
        aref::ARef,
        SpinLock, //
    }, //
};

use super::{
    bo::Tail,
    Bo,
    DriverBo, //
};
use crate::rust::bindings;

/// A list of buffer objects that does not keep them.
///
/// # Invariants
///
/// `head` is a list of the links of `Bo<T>`s that [`Bos::add()`] put there and [`Bos::remove()`]
/// has not taken out; it and they are only accessed with `lock` held.
#[pin_data]
pub(super) struct Bos<T: DriverBo> {
    #[pin]
    head: CListHead,
    #[pin]
    lock: SpinLock<()>,
    _bo: PhantomData<fn(T)>,
}

impl<T: DriverBo> Bos<T> {
    /// Makes an empty list.
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            head <- CListHead::new(),
            lock <- new_spinlock!((), "Bos::lock"),
            _bo: PhantomData,
        })
    }

    /// Appends a BO.
    ///
    /// # Safety
    ///
    /// The BO must not be in a list, and be taken out of this one before it or the list goes.
    pub(super) unsafe fn add(&self, bo: &Bo<T>) {
        let _guard = self.lock.lock();

        // SAFETY: The lock is held, and by the safety requirements the link is in no list.
        unsafe { bindings::list_add_tail(Tail::link(bo), self.head.as_raw()) };
    }

    /// Takes a BO out.
    ///
    /// # Safety
    ///
    /// `link` must be initialised, and in this list if it is in one.
    pub(super) unsafe fn remove(&self, link: *mut bindings::list_head) {
        let _guard = self.lock.lock();

        // SAFETY: The lock is held. A link that is in no list is one by itself.
        unsafe { bindings::rgt_list_del(link) };
    }

    /// Returns the next BO with references behind `bo`, which is in the list, or the first one.
    fn after(&self, bo: Option<&Bo<T>>) -> Option<ARef<Bo<T>>> {
        let _guard = self.lock.lock();
        let head = self.head.as_raw();

        // SAFETY: The head, and a link that is in the list, are valid while the lock is held.
        let mut link = unsafe { (*bo.map_or(head, Tail::link)).next };
        while link != head {
            // SAFETY: By the type invariants it is the link of a `Bo<T>`, which cannot be freed
            // before it has been taken out, for which it takes the lock.
            let bo = unsafe { Tail::<T>::bo_of_link(link) };
            // SAFETY: As above; GEM objects begin with their reference count.
            if unsafe { bindings::rgt_drm_gem_object_get_unless_zero(bo.cast().as_ptr()) } {
                // SAFETY: The reference that was just taken becomes ours.
                return Some(unsafe { ARef::from_raw(bo) });
            }
            // SAFETY: As above.
            link = unsafe { (*link).next };
        }
        None
    }

    /// Calls `f` with each BO. It may sleep, and BOs may come and go meanwhile.
    pub(super) fn for_each(&self, mut f: impl FnMut(&Bo<T>) -> Result) -> Result {
        let mut current = self.after(None);

        while let Some(bo) = current {
            f(&bo)?;
            // The reference has kept it in the list.
            current = self.after(Some(&bo));
        }
        Ok(())
    }
}
