// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Buffers that devices share.
//!
//! A [`DmaBuf`] stands for memory of one device, its exporter, that others import by attaching to
//! it. An exporter implements a trait for what it exports, see
//! [`prime::Exporter`](crate::rust::drm::prime::Exporter); an importer implements [`Importer`].
//! The reservation of the buffer protects what both do, and holds the fences of both.
//!
//! C header: [`include/linux/dma-buf.h`](srctree/include/linux/dma-buf.h)

mod attachment;
mod importer;
mod sg;

pub use self::{
    attachment::Attachment,
    importer::{
        DynamicAttachment,
        Importer,
        RawAttachment, //
    },
    sg::{
        MappedSg,
        Mapping, //
    },
};

use core::ptr::NonNull;

use kernel::{
    prelude::*,
    sync::aref::{
        ARef,
        AlwaysRefCounted, //
    },
    types::Opaque, //
};

use crate::rust::{
    bindings,
    dma_resv::{
        LockedResv,
        Resv, //
    },
};

/// A shared buffer.
///
/// # Invariants
///
/// A valid `struct dma_buf`.
#[repr(transparent)]
pub struct DmaBuf(Opaque<bindings::dma_buf>);

// SAFETY: A `dma_buf` belongs to no thread, and the last reference may be dropped anywhere.
unsafe impl Send for DmaBuf {}
// SAFETY: What is accessed without the reservation is constant.
unsafe impl Sync for DmaBuf {}

// SAFETY: A `dma_buf` lives as long as its file, which is reference counted.
unsafe impl AlwaysRefCounted for DmaBuf {
    fn inc_ref(&self) {
        // SAFETY: A shared reference shows that the count is not 0.
        unsafe { bindings::rgt_get_dma_buf(self.as_raw()) };
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: The caller owns the reference that is given up here.
        unsafe { bindings::dma_buf_put(obj.as_ptr().cast()) };
    }
}

impl DmaBuf {
    /// # Safety
    ///
    /// `ptr` must be a valid `dma_buf` for `'a`.
    pub(in crate::rust) unsafe fn from_raw<'a>(ptr: *mut bindings::dma_buf) -> &'a Self {
        // SAFETY: `DmaBuf` is transparent; the rest is the caller's promise.
        unsafe { &*ptr.cast() }
    }

    /// Returns a reference, unless the last one is gone already.
    ///
    /// C: `get_file_active()`.
    ///
    /// # Safety
    ///
    /// `ptr` must be a `dma_buf` that is not freed yet, and whose release waits for the caller.
    pub(in crate::rust) unsafe fn get_unless_zero(
        ptr: *mut bindings::dma_buf,
    ) -> Option<ARef<Self>> {
        // SAFETY: By the safety requirements.
        let got = unsafe { bindings::rgt_dma_buf_get_unless_zero(ptr) };

        // SAFETY: The reference was taken above.
        NonNull::new(ptr.cast())
            .filter(|_| got)
            .map(|buf| unsafe { ARef::from_raw(buf) })
    }

    pub(in crate::rust) fn as_raw(&self) -> *mut bindings::dma_buf {
        self.0.get()
    }

    /// Returns the size in bytes.
    pub fn size(&self) -> usize {
        // SAFETY: Valid by the type invariants; the field is constant.
        unsafe { (*self.as_raw()).size }
    }

    /// Returns the reservation, which all users of the buffer share.
    pub fn resv(&self) -> &Resv {
        // SAFETY: Valid by the type invariants; a buffer keeps its reservation.
        unsafe { Resv::from_raw((*self.as_raw()).resv) }
    }

    /// Returns whether the buffer has attachments. `false` if `locked` is not its reservation.
    pub fn is_attached(&self, locked: &LockedResv<'_>) -> bool {
        self.owns(locked)
            // SAFETY: Valid by the type invariants, and the reservation is held.
            && unsafe { bindings::rgt_dma_buf_is_attached(self.as_raw()) }
    }

    /// Returns whether all importers of the buffer access the exporter's device-local memory.
    /// `false` if `locked` is not its reservation.
    pub fn is_peer_to_peer(&self, locked: &LockedResv<'_>) -> bool {
        self.owns(locked)
            // SAFETY: Valid by the type invariants, and the reservation is held.
            && unsafe { bindings::rgt_dma_buf_is_peer_to_peer(self.as_raw()) }
    }

    /// Invalidates the mappings of dynamic importers, as the memory is about to move: jobs that
    /// begin from now on must not use them. `EINVAL` if `locked` is not the buffer's reservation.
    ///
    /// Jobs that have begun have fences on the reservation, which have to be waited for.
    ///
    /// C: `dma_buf_invalidate_mappings()`.
    pub fn invalidate_mappings(&self, locked: &mut LockedResv<'_>) -> Result {
        if !self.owns(locked) {
            return Err(EINVAL);
        }
        // SAFETY: Valid by the type invariants, and the reservation is held. Importers may use up
        // room for fences; as `locked` is borrowed exclusively, none is promised.
        unsafe { bindings::dma_buf_invalidate_mappings(self.as_raw()) };
        Ok(())
    }

    fn owns(&self, locked: &LockedResv<'_>) -> bool {
        locked.as_raw() == self.resv().as_raw()
    }
}
