// SPDX-License-Identifier: GPL-2.0

//! Freeing of ranges that have lost their last mapping.
//!
//! Removing a notifier waits for its callbacks, which wait for jobs: it cannot be done where fences
//! signal, which is where mappings are removed. So the pages of a range that is dropped wait in a list
//! of the VM for its clean-up.

use core::mem;

use kernel::{
    prelude::*,
    sync::atomic::Relaxed, //
};

use super::range::{
    RangeOps,
    UserRanges, //
};
use crate::{
    hw::Space,
    rust::drm::gpusvm::UserPages, //
};

/// The pages of a range, which can be put into the list of those that are to be freed.
#[pin_data]
pub(super) struct RangePages {
    next: Option<Pin<KBox<Self>>>,
    #[pin]
    pub(super) pages: UserPages<RangeOps>,
}

impl RangePages {
    /// Returns an initializer of one that is in no list.
    pub(super) fn new(
        pages: impl PinInit<UserPages<RangeOps>, Error>,
    ) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            next: None,
            pages <- pages,
        }? Error)
    }

    /// Puts it into the list of its VM, for the next clean-up.
    pub(super) fn free_later(mut this: Pin<KBox<Self>>) {
        // The list may have the last references to the VM.
        let vm = this.pages.vm.clone();
        let mut to_free = vm.user.to_free.lock();

        *this.as_mut().project().next = to_free.take();
        *to_free = Some(this);
    }
}

impl UserRanges {
    /// Frees the ranges that have lost their last mapping in `space`. Not to be called where fences
    /// signal, nor with a reservation or a lock of the VM held.
    pub(in crate::vm) fn clean_up(&self, space: &Space) {
        if !self.is_used.load(Relaxed) {
            return;
        }
        self.list.lock().retain(|range| range.is_mapped());
        let mut to_free = mem::take(&mut *self.to_free.lock());
        if to_free.is_some() {
            // The update that has removed the last mapping may not have reached the device yet.
            drop(space.update());
        }
        while let Some(mut pages) = to_free {
            to_free = pages.as_mut().project().next.take();
        }
    }
}
