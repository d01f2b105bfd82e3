// SPDX-License-Identifier: GPL-2.0

//! The private BOs of a VM, which each of its jobs uses, at a cost that does not grow with their
//! number.

use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    }, //
};

use super::{
    object::Bo,
    validate::oldest_hot, //
};
use crate::{
    device::RgtDevice,
    placement::History,
    rust::{
        dma_resv::LockedResv,
        drm::{
            gem::ResvObject,
            ttm::{
                BulkMove,
                MemType, //
            }, //
        }, //
    }, //
};

/// The private BOs of a VM: used and evicted as one, wherever they are.
pub(crate) struct PrivateBos {
    bulk: Arc<BulkMove>,
    history: History,
    /// How many there are.
    count: Atomic<usize>,
    /// The bytes of those that are wanted in VRAM.
    bytes: Atomic<u64>,
}

impl PrivateBos {
    /// Returns none yet, for BOs that share the reservation of `object`.
    pub(crate) fn new(dev: &RgtDevice, object: &ResvObject) -> Result<Arc<Self>> {
        let this = Self {
            bulk: BulkMove::new(dev, object)?,
            history: History::new(),
            count: Atomic::new(0),
            bytes: Atomic::new(0),
        };
        Ok(Arc::new(this, GFP_KERNEL_ACCOUNT)?)
    }

    /// Counts a job as one use of all of them, whose reservation is `resv`.
    pub(crate) fn used(&self, dev: &RgtDevice, resv: &LockedResv<'_>) -> Result {
        if self.count.load(Relaxed) == 0 {
            return Ok(());
        }
        if let Some(policy) = dev.eviction_policy.scan_resistant() {
            let bytes = self.bytes.load(Relaxed);
            // No more can be in use there at once.
            policy.used(&self.history, bytes.min(dev.managers.size(MemType::VRAM)));
        }
        self.bulk.move_to_tail(resv)
    }

    /// Returns which of them can come to VRAM after a use.
    pub(crate) fn prospect<'a>(&self, dev: &'a RgtDevice) -> Prospect<'a> {
        let policy = dev.eviction_policy.scan_resistant();

        Prospect {
            dev,
            claim: policy.is_none_or(|policy| {
                let oldest = oldest_hot(dev, policy);
                policy.claim(&self.history, oldest).is_some()
            }),
            may_come_back: dev.eviction_policy.may_come_back(),
        }
    }
}

/// Which displaced private BOs of a VM can come to where they should be: cheaper to tell than to try.
pub(crate) struct Prospect<'a> {
    dev: &'a RgtDevice,
    /// They have a claim to the place of others.
    claim: bool,
    may_come_back: bool,
}

impl Prospect<'_> {
    /// Returns whether it is worth an attempt to validate a BO again.
    pub(crate) fn is_good_for(&self, bo: &Bo) -> bool {
        let Some(best) = MemType::new(bo.request.preferred()) else {
            return false;
        };
        let has_room = || bo.size() as u64 <= self.dev.managers.free(best);

        if best != MemType::VRAM {
            has_room()
        } else if bo.record.memory() == Some(best.as_raw()) {
            // It is the next to go there.
            self.claim
        } else {
            self.may_come_back && (self.claim || has_room())
        }
    }
}

/// The membership of a private BO.
pub(crate) struct Private {
    vm: u32,
    bos: Arc<PrivateBos>,
    /// The bytes that are counted.
    bytes: u64,
}

impl Private {
    /// Returns the membership of a BO of the VM that has the number `vm`.
    pub(crate) fn new(vm: u32, bos: Arc<PrivateBos>) -> Self {
        bos.count.fetch_add(1, Relaxed);
        Self { vm, bos, bytes: 0 }
    }

    /// Returns the client's number of the VM.
    pub(super) fn vm(&self) -> u32 {
        self.vm
    }

    pub(super) fn history(&self) -> &History {
        &self.bos.history
    }

    pub(super) fn bulk(&self) -> &Arc<BulkMove> {
        &self.bos.bulk
    }

    /// Counts the bytes of a BO that is wanted in VRAM.
    pub(super) fn add_bytes(&mut self, bytes: u64) {
        self.bos.bytes.fetch_add(bytes, Relaxed);
        self.bytes += bytes;
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        self.bos.bytes.fetch_sub(self.bytes, Relaxed);
        self.bos.count.fetch_sub(1, Relaxed);
    }
}
