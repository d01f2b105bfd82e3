// SPDX-License-Identifier: GPL-2.0

//! The data of a VM.

use core::ops::Range;

use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            AtomicFlag,
            Relaxed, //
        },
        Arc,
        Mutex, //
    },
    time::Jiffies, //
};

use super::{
    arrivals::Arrivals,
    cleanup::Cleanup,
    leaves::Leaves,
    pending_binds::PendingBinds,
    queue::BindQueue,
    user::{
        UserMapping,
        UserRanges, //
    }, //
};
use crate::{
    bo::{
        BoData,
        PrivateBos, //
    },
    device::RgtDevice,
    hw::Space,
    rust::drm::{
        exec::Exec,
        gpuvm::{
            DriverGpuVm,
            GpuVm, //
        },
        sched::{
            Job,
            UnarmedJob, //
        }, //
    }, //
};

/// The GPU virtual addresses that can be bound: all but the first 64 KiB, so that a null pointer
/// faults.
pub(crate) const VA_RANGE: Range<u64> = 0x1_0000..1 << 47;

/// How the GPU may access what a mapping is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// It may only read.
    Read,
    /// It may read and write.
    Write,
}

/// What a mapping is beside its place.
#[derive(Clone)]
pub(crate) struct MappingData {
    pub(super) access: Access,
    /// The memory of a process that it is of.
    pub(super) user: Option<UserMapping>,
}

impl From<Access> for MappingData {
    fn from(access: Access) -> Self {
        Self { access, user: None }
    }
}

/// What a VM has until it is destroyed.
#[derive(Clone)]
pub(super) struct Open {
    /// The queue of jobs that map evicted BOs again.
    pub(super) rebind_queue: Arc<BindQueue>,
    /// Frees the BOs that have lost their last mapping.
    pub(super) cleanup: Arc<Cleanup>,
    /// The private BOs.
    pub(super) private: Arc<PrivateBos>,
}

/// The driver's data of a VM.
#[pin_data]
pub(crate) struct VmData {
    /// The address space of the GPU. Jobs use it until their fences have signalled, also those of a
    /// VM that is destroyed, so that moves reach it until then.
    pub(super) space: Arc<Space>,
    /// [`None`] before the VM is open and once it is destroyed: it takes no jobs then.
    #[pin]
    open: Mutex<Option<Open>>,
    /// BOs that are on their way to where they are mapped.
    #[pin]
    pub(super) arrivals: Mutex<Arrivals>,
    /// The binds that later jobs wait for. Changes with the reservation held.
    #[pin]
    pub(super) pending_binds: Mutex<PendingBinds>,
    /// Those of them that map BOs that could not be used then: rebinds wait for them.
    #[pin]
    pub(super) unusable_binds: Mutex<PendingBinds>,
    /// Page tables for mappings that are still to be made.
    pub(super) leaves: Leaves,
    /// Set once it has mapped device-local memory.
    uses_vram: Atomic<bool>,
    /// The number of reservations that the last job had locked.
    locked: Atomic<u32>,
    /// Set if a BO that is mapped may have lost its content on its way, so that it is not in the
    /// page tables.
    pub(super) lost: AtomicFlag,
    /// The memory of processes that is bound.
    #[pin]
    pub(super) user: UserRanges,
}

impl DriverGpuVm for VmData {
    type Bo = BoData;
    type MappingData = MappingData;
}

/// A VM of this driver.
pub(crate) type Vm = GpuVm<VmData>;

impl VmData {
    pub(super) fn new(dev: &RgtDevice, space: Arc<Space>) -> impl PinInit<Self, Error> + use<> {
        let user = UserRanges::new(dev);

        try_pin_init!(Self {
            space,
            open <- new_mutex!(None, "VmData::open"),
            arrivals <- new_mutex!(Arrivals::new(), "VmData::arrivals"),
            pending_binds <- new_mutex!(PendingBinds::new(), "VmData::pending_binds"),
            unusable_binds <- new_mutex!(PendingBinds::new(), "VmData::unusable_binds"),
            leaves: Leaves::new()?,
            uses_vram: Atomic::new(false),
            locked: Atomic::new(1),
            lost: AtomicFlag::new(false),
            user <- user,
        })
    }

    /// Returns how many reservations a job that names `named` BOs is likely to lock.
    pub(crate) fn likely_locked(&self, named: usize) -> u32 {
        self.locked.load(Relaxed).max(named as u32 + 1)
    }

    /// Notes the reservations that are locked for a job.
    pub(crate) fn note_locked(&self, exec: &Exec) {
        self.locked.store(exec.len() as u32, Relaxed);
    }

    pub(super) fn set_open(&self, open: Open) {
        *self.open.lock() = Some(open);
    }

    /// Returns what the VM has until it is destroyed; `ENOENT` then.
    pub(super) fn open(&self) -> Result<Open> {
        self.open.lock().clone().ok_or(ENOENT)
    }

    pub(super) fn close(&self) -> Option<Open> {
        self.open.lock().take()
    }

    /// Returns the private BOs. `ENOENT` once the VM is destroyed.
    pub(crate) fn private_bos(&self) -> Result<Arc<PrivateBos>> {
        self.open
            .lock()
            .as_ref()
            .map(|open| open.private.clone())
            .ok_or(ENOENT)
    }

    /// Returns the address space for a job. `ENOENT` once the VM is destroyed.
    ///
    /// To be called with the VM's reservation held, on which the job's fence is put: destroying the
    /// VM waits for it.
    pub(crate) fn space(&self) -> Result<&Arc<Space>> {
        if self.open.lock().is_none() {
            return Err(ENOENT);
        }
        Ok(&self.space)
    }

    /// Has a job of the VM wait for the binds that were queued before it.
    ///
    /// To be called with the VM's reservation held.
    pub(crate) fn add_bind_dependencies<J: Job>(&self, job: &mut UnarmedJob<'_, J>) -> Result {
        self.pending_binds.lock().add_to(job)
    }

    /// Waits for the binds that later jobs wait for: what they unmap need not be resident. Returns
    /// `false` if there are none, or if they take longer than `time`.
    ///
    /// To be called without any reservation. `ERESTARTSYS` when a signal comes.
    pub(crate) fn wait_for_binds(&self, time: Jiffies) -> Result<bool> {
        let fences = self.pending_binds.lock().unsignalled()?;

        for fence in fences.iter() {
            match fence.wait(true, time) {
                Err(ETIME) => return Ok(false),
                done => done?,
            }
        }
        Ok(!fences.is_empty())
    }

    /// Returns whether memory of processes is, or was, bound in the VM.
    pub(crate) fn has_user_pages(&self) -> bool {
        self.user.is_used.load(Relaxed)
    }

    /// Returns how many bytes of processes' memory are bound.
    pub(crate) fn user_bytes(&self) -> u64 {
        self.user.bytes.load(Relaxed)
    }

    /// Returns whether jobs of the VM may use device-local memory.
    pub(crate) fn uses_vram(&self) -> bool {
        self.uses_vram.load(Relaxed)
    }

    /// Notes that jobs of the VM may use memory that does not survive a reset of the device.
    pub(super) fn note_vram(&self) {
        self.uses_vram.store(true, Relaxed);
    }
}
