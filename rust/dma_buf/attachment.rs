// SPDX-License-Identifier: GPL-2.0 OR MIT

//! A device's hold on a shared buffer, as the exporter sees it.

use kernel::{
    device::{
        Bound,
        Device, //
    },
    types::Opaque, //
};

use crate::rust::{
    bindings,
    dma::is_bounced, //
};

/// An attachment to a buffer.
///
/// # Invariants
///
/// A valid `struct dma_buf_attachment`, whose device is valid.
#[repr(transparent)]
pub struct Attachment(Opaque<bindings::dma_buf_attachment>);

impl Attachment {
    /// # Safety
    ///
    /// `ptr` must satisfy the type's invariants for `'a`, and not be accessed otherwise then if
    /// the reference becomes a mutable one.
    pub(in crate::rust) unsafe fn from_raw<'a>(
        ptr: *mut bindings::dma_buf_attachment,
    ) -> &'a mut Self {
        // SAFETY: `Attachment` is transparent; the rest is the caller's promise.
        unsafe { &mut *ptr.cast() }
    }

    pub(in crate::rust) fn as_raw(&self) -> *mut bindings::dma_buf_attachment {
        self.0.get()
    }

    pub(in crate::rust) fn device(&self) -> *mut bindings::device {
        // SAFETY: Valid by the type invariants; the field is constant.
        unsafe { (*self.as_raw()).dev }
    }

    /// Returns whether the importer accesses the exporter's device-local memory.
    pub fn is_peer_to_peer(&self) -> bool {
        // SAFETY: Valid by the type invariants; the exporter alone changes the field, when it has
        // the attachment exclusively.
        unsafe { (*self.as_raw()).peer2peer }
    }

    /// Returns whether the importer unmaps within bounded time after its mappings were invalidated.
    ///
    /// C: `dma_buf_attach_revocable()`.
    pub fn is_revocable(&self) -> bool {
        // SAFETY: Valid by the type invariants; the field and what it points to are constant.
        unsafe {
            let ops = (*self.as_raw()).importer_ops;
            !ops.is_null() && (*ops).invalidate_mappings.is_some()
        }
    }

    /// Returns whether the importer's device sees copies of system pages instead of the pages.
    pub fn is_bounced(&self) -> bool {
        // SAFETY: The device is valid by the type invariants.
        unsafe { is_bounced(self.device()) }
    }

    /// Denies the importer access to the exporter's device-local memory.
    pub fn refuse_peer_to_peer(&mut self) {
        // SAFETY: Valid by the type invariants; a new attachment is not published.
        unsafe { (*self.as_raw()).peer2peer = false };
    }

    /// Denies the importer access to the exporter's device-local memory, unless its device can
    /// access the BARs of `exporter`.
    ///
    /// C: `pci_p2pdma_distance()`.
    pub fn limit_to_peers_of(&mut self, exporter: &Device<Bound>) {
        // CAST: `Device` is transparent over `struct device`.
        let exporter = core::ptr::from_ref(exporter).cast_mut().cast();

        // SAFETY: Both devices are valid; a new attachment is not published.
        unsafe {
            let attach = self.as_raw();
            (*attach).peer2peer &= bindings::rgt_p2pdma_reaches(exporter, (*attach).dev);
        }
    }
}
