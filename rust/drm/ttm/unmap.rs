// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Waiting for importers to unmap buffer objects.

use kernel::sync::atomic::Relaxed;

use super::{
    Bo,
    Device,
    DriverBo, //
};
use crate::rust::dma_buf::MappedSg;

impl<T: DriverBo> Bo<T> {
    /// Counts a mapping that an importer gets. The reservation must be held.
    pub(super) fn count_mapping(&self, mapped: &MappedSg<'_>) {
        if mapped.attachment().is_revocable() {
            self.mappings().of(mapped.is_peer()).fetch_add(1, Relaxed);
        }
    }

    /// Unmaps what [`Self::count_mapping()`] has counted. The reservation must be held.
    pub(super) fn unmap_counted(&self, mapped: MappedSg<'_>) {
        let (revocable, peer) = (mapped.attachment().is_revocable(), mapped.is_peer());
        drop(mapped);
        if revocable {
            let unmapped = Device::<T::Driver>::of(self.device()).unmapped();
            let _guard = unmapped.lock.lock();
            self.mappings().of(peer).fetch_sub(1, Relaxed);
            unmapped.changed.notify_all();
        }
    }

    /// Waits until importers have unmapped device-local memory and, with `pages`, system pages. The
    /// reservation must not be held, and no new mapping can be had any more.
    pub(super) fn wait_unmapped(&self, pages: bool) {
        let unmapped = Device::<T::Driver>::of(self.device()).unmapped();
        let mapped = |peer| self.mappings().of(peer).load(Relaxed) != 0;

        let mut guard = unmapped.lock.lock();
        while mapped(true) || pages && mapped(false) {
            unmapped.changed.wait(&mut guard);
        }
    }
}
