// SPDX-License-Identifier: GPL-2.0

//! GPU address spaces.
//!
//! What is mapped where is GPUVM's; the page tables are `hw`'s. The tables follow: binding only
//! reserves room in them, and the next job that uses the VM has the entries written of BOs whose
//! place it has fixed by reserving them: at once, or behind their moves. A move takes the entries
//! away again, see [`zap()`].
//!
//! Locks, outer ones first: reservations, the VM's mappings, a BO's GPUVA lock. The page tables'
//! own lock is inside of all these, as a move that ends takes it.

mod bind;
mod closing;
mod handle;
mod pieces;
mod rebind;
pub(crate) mod trace;
mod zap;

pub(crate) use self::{
    bind::{
        map,
        unmap, //
    },
    closing::{
        Closing,
        ClosingGuard, //
    },
    handle::VmHandle,
    rebind::{
        rebind,
        renew,
        Binds, //
    },
    zap::{
        deferred_zap,
        mark_stale,
        zap, //
    }, //
};

use core::ops::Range;

use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            Acquire,
            Atomic,
            Relaxed,
            Release, //
        },
        Mutex, //
    },
    time::Jiffies, //
};

use crate::{
    bo::BoData,
    hw::SpaceId,
    rust::{
        dma_fence::Fence,
        drm::gpuvm::{
            DriverGpuVm,
            GpuVm, //
        }, //
    },
    sched::BindEntity, //
};

/// GPU virtual addresses that can be bound: all but the first 64 KiB, so that a null pointer
/// faults.
pub(crate) const VA_RANGE: Range<u64> = 0x1_0000..1 << 47;

/// Most bytes that a VM can map, to bound what its page tables take: a 512th of it.
const MOST_BOUND: u64 = 64 << 30;

/// The driver's data of a VM.
#[pin_data]
pub(crate) struct VmData {
    /// The hardware's address space; [`None`] before the VM is open and once it is closed.
    #[pin]
    space: Mutex<Option<SpaceId>>,
    /// Whether some mapping may be stale.
    stale: Atomic<bool>,
    /// Bytes of addresses that are mapped. Changes with the mappings' lock held.
    bound: Atomic<u64>,
    /// Whether it has ever mapped the GPU's own memory.
    uses_vram: Atomic<bool>,
    /// Where the jobs wait that write its page tables.
    binds: BindEntity,
    /// The last of them. Changes with the VM's reservation held.
    #[pin]
    last_bind: Mutex<Option<ARef<Fence>>>,
}

impl DriverGpuVm for VmData {
    type Bo = BoData;
}

/// A VM of this driver.
pub(crate) type Vm = GpuVm<VmData>;

impl VmData {
    fn new(binds: BindEntity) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            space <- new_mutex!(None, "VmData::space"),
            stale: Atomic::new(false),
            bound: Atomic::new(0),
            uses_vram: Atomic::new(false),
            binds,
            last_bind <- new_mutex!(None, "VmData::last_bind"),
        })
    }

    fn open(&self, space: SpaceId) {
        *self.space.lock() = Some(space);
    }

    /// Returns the address space. `ENOENT` once the VM is closed.
    ///
    /// The space may be given up at any time after that, unless there is a job of the VM or its
    /// reservation is held; nothing that is done to it then has an effect.
    pub(crate) fn space(&self) -> Result<SpaceId> {
        (*self.space.lock()).ok_or(ENOENT)
    }

    fn close(&self) -> Option<SpaceId> {
        self.space.lock().take()
    }

    /// Whether jobs of the VM may use the GPU's own memory.
    pub(crate) fn uses_vram(&self) -> bool {
        self.uses_vram.load(Relaxed)
    }

    /// Waits until all page-table entries are written that jobs were promised, for a caller who
    /// holds the VM's reservation.
    fn wait_bound(&self) -> Result {
        let last = self.last_bind.lock().take();
        let Some(last) = last else {
            return Ok(());
        };
        last.wait(true, Jiffies::MAX).inspect_err(|_| {
            *self.last_bind.lock() = Some(last.clone());
        })
    }

    fn is_stale(&self) -> bool {
        self.stale.load(Acquire)
    }

    fn set_stale(&self) {
        self.stale.store(true, Release);
    }

    /// Returns whether a mapping may be stale, and forgets it.
    fn take_stale(&self) -> bool {
        self.stale.xchg(false, Acquire)
    }
}
