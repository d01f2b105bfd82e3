// SPDX-License-Identifier: GPL-2.0

//! The driver's buffer object: its data, and its type as TTM's.

use kernel::{
    prelude::*,
    sync::{
        atomic::AtomicFlag,
        Arc, //
    }, //
};

use super::{
    advice::AdviceCell,
    described::DescribedShare,
    private::Private,
    record::BoRecord, //
};
use crate::{
    device::RgtDriver,
    placement::{
        History,
        Request, //
    },
    rust::{
        bindings::DRM_RGT_PLACEMENT_GTT,
        drm::ttm::{
            self,
            Caching, //
        }, //
    }, //
};

/// The driver's data of a BO.
pub(crate) struct BoData {
    /// The placements that user space allows.
    pub(crate) request: Request,
    /// The caching of the CPU's mappings of its system pages.
    pub(crate) caching: Caching,
    /// The memory type of the first of its places for the GPU when it was created; [`None`] if there
    /// is none.
    pub(crate) best: Option<ttm::MemType>,
    /// Alignment in VRAM, in bytes; 0 for none.
    pub(crate) alignment: u32,
    /// The membership if it is private to a VM: it may be bound only there, and shares its
    /// reservation.
    pub(crate) private: Option<Private>,
    /// The recent uses, for the eviction policy, of a BO that is not private.
    pub(crate) own_history: History,
    /// Identity, owner and moves, for debugfs and trace events.
    pub(crate) record: BoRecord,
    /// Set when a move or a clear of the BO has failed, or its memory went bad: its content is lost.
    pub(crate) lost: Arc<AtomicFlag>,
    /// The advice of GEM_MADVISE.
    pub(crate) advice: AdviceCell,
    /// Its share of the bytes of all BOs. [`None`] for BOs of the kernel and imported ones.
    pub(crate) described: Option<DescribedShare>,
    /// Set when a bind has validated the BO, for the job that follows: both are one use. Changes with
    /// the reservation held.
    pub(crate) placed_by_bind: AtomicFlag,
}

impl BoData {
    /// Returns the data of an imported BO, whose memory is another device's.
    pub(crate) fn of_import() -> Result<Self> {
        Ok(Self {
            request: Request::new(DRM_RGT_PLACEMENT_GTT, 0)?,
            caching: Caching::Cached,
            best: Some(ttm::MemType::TT),
            alignment: 0,
            private: None,
            own_history: History::new(),
            record: BoRecord::of_import(),
            lost: Arc::new(AtomicFlag::new(false), GFP_KERNEL)?,
            advice: AdviceCell::new(),
            described: None,
            placed_by_bind: AtomicFlag::new(false),
        })
    }

    /// Returns the data of a kernel BO, which stays where it is created.
    pub(super) fn of_kernel(mem_type: ttm::MemType) -> Result<Self> {
        Ok(Self {
            request: Request::new(1 << mem_type.as_raw(), 0)?,
            caching: Caching::Cached,
            best: Some(mem_type),
            alignment: 0,
            private: None,
            own_history: History::new(),
            record: BoRecord::of_kernel(),
            lost: Arc::new(AtomicFlag::new(false), GFP_KERNEL)?,
            advice: AdviceCell::new(),
            described: None,
            placed_by_bind: AtomicFlag::new(false),
        })
    }

    /// Returns the client's number of the VM that it is private to; 0 for none.
    pub(crate) fn vm_id(&self) -> u32 {
        self.private.as_ref().map_or(0, Private::vm)
    }

    /// Returns the recent uses: those of all private BOs of its VM, or its own.
    pub(super) fn history(&self) -> &History {
        self.private
            .as_ref()
            .map_or(&self.own_history, Private::history)
    }
}

impl ttm::DriverBo for BoData {
    type Driver = RgtDriver;

    fn may_export(&self) -> Result {
        if self.private.is_some() {
            return Err(EPERM);
        }
        if !self.advice.is_usable() {
            return Err(EBUSY);
        }
        Ok(())
    }
}

/// A buffer object of this driver.
pub(crate) type Bo = ttm::Bo<BoData>;
/// A buffer object whose reservation is held.
pub(crate) type Reserved<'a> = ttm::Reserved<'a, BoData>;
