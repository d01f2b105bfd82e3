// SPDX-License-Identifier: GPL-2.0

//! The data of a VM.

use core::ops::Range;

use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            Acquire,
            Atomic,
            AtomicFlag,
            Relaxed,
            Release, //
        },
        Arc,
        Mutex, //
    },
    time::Jiffies, //
};

use crate::{
    bo::BoData,
    hw::Space,
    rust::{
        dma_fence::Fence,
        drm::gpuvm::{
            DriverGpuVm,
            GpuVm, //
        }, //
    },
    sched::BindEntity, //
};

/// The GPU virtual addresses that can be bound: all but the first 64 KiB, so that a null pointer
/// faults.
pub(crate) const VA_RANGE: Range<u64> = 0x1_0000..1 << 47;

/// The driver's data of a VM.
#[pin_data]
pub(crate) struct VmData {
    /// The address space of the GPU; [`None`] before the VM is open and once its last job has ended.
    #[pin]
    space: Mutex<Option<Arc<Space>>>,
    /// Set once the VM takes no jobs and no binds any more. Read with its reservation held.
    closed: AtomicFlag,
    /// Set if some mapping may be stale.
    stale: Atomic<bool>,
    /// Set once it has mapped device-local memory.
    pub(super) uses_vram: Atomic<bool>,
    /// The queue of jobs that write its page tables.
    pub(super) binds: BindEntity,
    /// The fence of the last of those. Changes with the VM's reservation held.
    #[pin]
    pub(super) last_bind: Mutex<Option<ARef<Fence>>>,
}

impl DriverGpuVm for VmData {
    type Bo = BoData;
}

/// A VM of this driver.
pub(crate) type Vm = GpuVm<VmData>;

impl VmData {
    pub(super) fn new(binds: BindEntity) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            space <- new_mutex!(None, "VmData::space"),
            closed: AtomicFlag::new(false),
            stale: Atomic::new(false),
            uses_vram: Atomic::new(false),
            binds,
            last_bind <- new_mutex!(None, "VmData::last_bind"),
        })
    }

    pub(super) fn open(&self, space: Arc<Space>) {
        *self.space.lock() = Some(space);
    }

    /// Returns the address space for a new job or bind. `ENOENT` once the VM is closed.
    pub(crate) fn space(&self) -> Result<Arc<Space>> {
        if self.closed.load(Relaxed) {
            return Err(ENOENT);
        }
        self.live_space().ok_or(ENOENT)
    }

    /// Returns the address space, also of a closed VM, whose last jobs still use it.
    pub(super) fn live_space(&self) -> Option<Arc<Space>> {
        self.space.lock().clone()
    }

    /// Closes the VM. A job that is being submitted then has its fence on the reservation when that
    /// is free again.
    pub(super) fn close(&self) {
        self.closed.store(true, Relaxed);
    }

    /// Takes the address space, which no job uses any more.
    pub(super) fn take_space(&self) -> Option<Arc<Space>> {
        self.space.lock().take()
    }

    /// Returns whether jobs of the VM may use device-local memory.
    pub(crate) fn uses_vram(&self) -> bool {
        self.uses_vram.load(Relaxed)
    }

    /// Waits until the last bind job has written its page-table entries. The caller holds the VM's
    /// reservation.
    pub(super) fn wait_bound(&self) -> Result {
        let last = self.last_bind.lock().take();
        let Some(last) = last else {
            return Ok(());
        };
        last.wait(true, Jiffies::MAX).inspect_err(|_| {
            *self.last_bind.lock() = Some(last.clone());
        })
    }

    pub(super) fn is_stale(&self) -> bool {
        self.stale.load(Acquire)
    }

    pub(super) fn set_stale(&self) {
        self.stale.store(true, Release);
    }

    /// Returns whether a mapping may be stale, and forgets it.
    pub(super) fn take_stale(&self) -> bool {
        self.stale.xchg(false, Acquire)
    }
}
