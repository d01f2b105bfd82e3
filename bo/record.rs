// SPDX-License-Identifier: GPL-2.0

//! Which BO it is, whose, and what is known of its moves: for those who look from outside.

use kernel::{
    drm,
    sync::atomic::{
        Atomic,
        AtomicFlag,
        Relaxed, //
    },
    task::Pid, //
};

use super::stats::MoveReason;
use crate::{
    file::RgtFile,
    rust::drm::{
        file::client_id,
        ttm::MemType, //
    }, //
};

/// The number of the BO made last. All devices share it, so that a number names one BO.
static LAST: Atomic<u64> = Atomic::new(0);

/// What others can be told of a BO.
pub(crate) struct BoRecord {
    id: u64,
    client: u64,
    pid: Pid,
    /// Why the BO is about to be moved: a [`MoveReason`], or [`BoRecord::UNKNOWN`].
    cause: Atomic<u32>,
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
            evicted: AtomicFlag::new(false),
        }
    }

    /// The record of a BO that a client makes, in the process that runs now.
    pub(crate) fn of_client(file: &drm::File<RgtFile>) -> Self {
        Self::new(client_id(file), kernel::current!().tgid())
    }

    /// The record of a BO whose memory is another device's, imported by the process that runs now.
    pub(crate) fn of_import() -> Self {
        Self::new(0, kernel::current!().tgid())
    }

    /// The record of a BO of the kernel's own.
    pub(crate) fn of_kernel() -> Self {
        let record = Self::new(0, 0);
        record.cause.store(MoveReason::KernelBo as u32, Relaxed);
        record
    }

    /// The number of the BO; no other one, of whatever device, ever gets it.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// The client that made the BO, as in fdinfo's `drm-client-id`; 0 for the kernel.
    pub(crate) fn client(&self) -> u64 {
        self.client
    }

    /// The process that made the BO; 0 for the kernel.
    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// Says why the BO is moved, if it is, until the guard is dropped. Whoever calls this has the
    /// BO reserved.
    pub(crate) fn moving(&self, reason: MoveReason) -> Moving<'_> {
        self.cause.store(reason as u32, Relaxed);
        Moving(self)
    }

    /// What [`Self::moving()`] said.
    pub(super) fn cause(&self) -> Option<MoveReason> {
        MoveReason::ALL
            .get(self.cause.load(Relaxed) as usize)
            .copied()
    }

    /// Whether the BO was evicted from VRAM and has not been there since.
    pub(crate) fn was_evicted(&self) -> bool {
        self.evicted.load(Relaxed)
    }

    /// Notes a move that was done, with the BO reserved.
    pub(super) fn moved(&self, reason: MoveReason, from: Option<MemType>, to: MemType) {
        match reason {
            _ if to == MemType::VRAM => self.evicted.store(false, Relaxed),
            MoveReason::Evict | MoveReason::Hop if from == Some(MemType::VRAM) => {
                self.evicted.store(true, Relaxed);
            }
            // Somebody wants it where it went by way of a hop.
            MoveReason::Fault | MoveReason::Validate if to == MemType::SYSTEM => {
                self.evicted.store(false, Relaxed);
            }
            _ => {}
        }
    }
}

/// Ends what [`BoRecord::moving()`] said.
pub(crate) struct Moving<'a>(&'a BoRecord);

impl Drop for Moving<'_> {
    fn drop(&mut self) {
        self.0.cause.store(BoRecord::UNKNOWN, Relaxed);
    }
}
