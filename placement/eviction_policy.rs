// SPDX-License-Identifier: GPL-2.0

//! The eviction policy of a device: the parameters, and the lock and clock that it takes.

use kernel::{
    new_mutex,
    prelude::*,
    sync::Mutex,
    time::{
        Instant,
        Monotonic, //
    }, //
};

use super::{
    ScanResistant,
    TokenBucket, //
};

/// The eviction policy of a device.
#[pin_data]
pub(crate) struct EvictionPolicy {
    scan_resistant: Option<ScanResistant>,
    #[pin]
    moveback: Mutex<TokenBucket>,
    start: Instant<Monotonic>,
}

impl EvictionPolicy {
    /// Returns an initializer of the policy for `capacity` bytes of VRAM: [`ScanResistant`] or plain
    /// `lru`. BOs come back to VRAM at `moveback_mbps` MiB/s at most.
    pub(crate) fn new(capacity: u64, lru: bool, moveback_mbps: u32) -> impl PinInit<Self> {
        pin_init!(Self {
            scan_resistant: (!lru).then(|| ScanResistant::new(capacity)),
            moveback <- new_mutex!(TokenBucket::new(moveback_mbps), "EvictionPolicy::moveback"),
            start: Instant::now(),
        })
    }

    /// Returns the scan-resistant policy; [`None`] for plain LRU, where every use justifies any
    /// eviction.
    pub(crate) fn scan_resistant(&self) -> Option<&ScanResistant> {
        self.scan_resistant.as_ref()
    }

    /// Returns whether a BO may come back to VRAM now. Under plain LRU all may at any time.
    pub(crate) fn may_come_back(&self) -> bool {
        self.scan_resistant.is_none() || self.moveback.lock().has_tokens(self.start.elapsed())
    }

    /// Counts the bytes that were moved for a BO that came back.
    pub(crate) fn came_back(&self, bytes: u64) {
        if bytes != 0 {
            self.moveback.lock().take(bytes);
        }
    }
}
