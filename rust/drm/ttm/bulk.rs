// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Buffer objects that share a reservation and move on the LRU lists as one.
//!
//! A [`BulkMove`] has, for each memory type and priority, the first and the last of its resources,
//! which stay together on the list: moving all of them to the tail costs the same however many they
//! are.
//!
//! C header: [`include/drm/ttm/ttm_resource.h`](srctree/include/drm/ttm/ttm_resource.h)

use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    },
    types::Opaque, //
};

use crate::rust::{
    bindings,
    dma_resv::Resv,
    drm::gem::ResvObject, //
};

/// The BOs of a reservation that are used together, those of a VM for example.
///
/// A BO that is in it has a reference to it, and leaves it before it is destroyed.
///
/// # Invariants
///
/// `raw` is initialised, and all resources in it are of BOs of `bdev` whose reservation is that of
/// `object`, of the same device.
#[pin_data(PinnedDrop)]
pub struct BulkMove {
    #[pin]
    raw: Opaque<bindings::ttm_lru_bulk_move>,
    bdev: *mut bindings::ttm_device,
    /// Keeps the device.
    object: ARef<ResvObject>,
}

// SAFETY: The device's lock protects what C has, the rest is constant.
unsafe impl Send for BulkMove {}
// SAFETY: As above.
unsafe impl Sync for BulkMove {}

impl BulkMove {
    /// Creates a bulk move without BOs.
    ///
    /// C: `ttm_lru_bulk_move_init()`.
    ///
    /// # Safety
    ///
    /// `bdev` must be an initialised device, that of the device which `object` keeps.
    pub(super) unsafe fn empty(
        bdev: *mut bindings::ttm_device,
        object: &ResvObject,
    ) -> Result<Arc<Self>> {
        // INVARIANT: It is empty.
        Arc::pin_init(
            pin_init!(Self {
                // SAFETY: The memory is valid, and pinned.
                raw <- Opaque::ffi_init(|raw| unsafe { bindings::ttm_lru_bulk_move_init(raw) }),
                bdev,
                object: object.into(),
            }),
            GFP_KERNEL,
        )
    }

    /// Returns TTM's device, which is valid as long as `self` is.
    pub(super) fn bdev(&self) -> *mut bindings::ttm_device {
        self.bdev
    }

    /// Returns the reservation that its BOs share.
    pub(super) fn resv(&self) -> &Resv {
        self.object.resv()
    }

    pub(super) fn as_raw(&self) -> *mut bindings::ttm_lru_bulk_move {
        self.raw.get()
    }
}

#[pinned_drop]
impl PinnedDrop for BulkMove {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariants. All BOs have left it: they have references.
        unsafe { bindings::ttm_lru_bulk_move_fini(self.bdev, self.raw.get()) };
    }
}
