// SPDX-License-Identifier: GPL-2.0

//! A BO's identity, owner and moves, for debugfs, fdinfo and trace events.

use kernel::{
    sync::atomic::{
        Atomic,
        AtomicFlag,
        Relaxed, //
    },
    task::Pid, //
};

use super::stats::MoveReason;
use crate::rust::drm::ttm::MemType;

/// The number of the BO created last. All devices share it, so that a number names one BO.
static LAST: Atomic<u64> = Atomic::new(0);

/// The identity, owner and moves of a BO.
pub(crate) struct BoRecord {
    id: u64,
    client: u64,
    pid: Pid,
    /// Why the BO is about to be moved: a [`MoveReason`], or [`BoRecord::UNKNOWN`].
    cause: Atomic<u32>,
    /// The region that its memory was in when this was noted: a [`MemType`], or
    /// [`BoRecord::UNKNOWN`] when it had none.
    memory: Atomic<u32>,
    /// The BO lost its place in VRAM to others and has not been there since.
    evicted: AtomicFlag,
}

impl BoRecord {
    const UNKNOWN: u32 = u32::MAX;

    fn new(client: u64, pid: Pid) -> Self {
        Self {
            id: LAST.fetch_add(1, Relaxed) + 1,
            client,
            pid,
            cause: Atomic::new(Self::UNKNOWN),
            memory: Atomic::new(Self::UNKNOWN),
            evicted: AtomicFlag::new(false),
        }
    }

    /// Returns the record of a BO that a client creates, in the current process.
    pub(crate) fn of_client(client: u64) -> Self {
        Self::new(client, kernel::current!().tgid())
    }

    /// Returns the record of a BO that the current process imports.
    pub(crate) fn of_import() -> Self {
        Self::new(0, kernel::current!().tgid())
    }

    /// Returns the record of a kernel BO.
    pub(crate) fn of_kernel() -> Self {
        let record = Self::new(0, 0);
        record.cause.store(MoveReason::KernelBo as u32, Relaxed);
        record
    }

    /// Returns the BO's number, which is unique among all devices.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Returns the client that created the BO, as in fdinfo's `drm-client-id`; 0 for the kernel.
    pub(crate) fn client(&self) -> u64 {
        self.client
    }

    /// Returns the process that created the BO; 0 for the kernel.
    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// Sets the reason of moves of the BO until the guard is dropped. The caller has the BO
    /// reserved.
    pub(crate) fn moving(&self, reason: MoveReason) -> Moving<'_> {
        self.cause.store(reason as u32, Relaxed);
        Moving(self)
    }

    /// Returns the reason that [`Self::moving()`] has set.
    pub(crate) fn cause(&self) -> Option<MoveReason> {
        MoveReason::ALL
            .get(self.cause.load(Relaxed) as usize)
            .copied()
    }

    /// Returns whether the BO was evicted from VRAM and has not been there since.
    pub(crate) fn was_evicted(&self) -> bool {
        self.evicted.load(Relaxed)
    }

    /// Notes the region that the BO's memory is in, with the BO reserved.
    pub(crate) fn set_memory(&self, mem_type: Option<MemType>) {
        self.memory
            .store(mem_type.map_or(Self::UNKNOWN, MemType::as_raw), Relaxed);
    }

    /// Returns the number of the region that was noted last, without a look at the BO.
    pub(crate) fn memory(&self) -> Option<u32> {
        Some(self.memory.load(Relaxed)).filter(|&region| region != Self::UNKNOWN)
    }

    /// Notes a move that was done, with the BO reserved.
    pub(crate) fn moved(&self, reason: MoveReason, from: Option<MemType>, to: MemType) {
        self.set_memory(Some(to));
        match reason {
            _ if to == MemType::VRAM => self.evicted.store(false, Relaxed),
            MoveReason::Evict | MoveReason::Hop if from == Some(MemType::VRAM) => {
                self.evicted.store(true, Relaxed);
            }
            // The hop led to the place that was asked for.
            MoveReason::Fault | MoveReason::Validate if to == MemType::SYSTEM => {
                self.evicted.store(false, Relaxed);
            }
            _ => {}
        }
    }
}

/// Resets the reason that [`BoRecord::moving()`] has set when it is dropped.
pub(crate) struct Moving<'a>(&'a BoRecord);

impl Drop for Moving<'_> {
    fn drop(&mut self) {
        self.0.cause.store(BoRecord::UNKNOWN, Relaxed);
    }
}
