// SPDX-License-Identifier: GPL-2.0

//! From a job's description to the ring.

use super::deps::Dependencies;
use crate::{
    bo::{
        validate,
        Bo,
        Reserved, //
    },
    driver::RgtDevice,
    hw::{
        Body,
        Engine,
        Gpu,
        Ib, //
    },
    placement::User,
    rust::{
        dma_fence::Fence,
        dma_resv::Usage,
        drm::{
            exec::{
                Exec,
                ExecFlags,
                ExecLocks, //
            },
            ttm::OperationCtx, //
        }, //
    },
    vm::{
        rebind,
        Vm, //
    }, //
};
use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    }, //
};

/// How often a job is tried whose BOs find no room. Another job may hold the room, and no room is
/// also what TTM reports when two jobs want each other's.
const ATTEMPTS: u32 = 4;

/// A BO that a job uses.
pub(crate) struct JobBo {
    /// The BO; none that is private to a VM.
    pub(crate) bo: ARef<Bo>,
    /// Whether the job writes it.
    pub(crate) write: bool,
    /// Whether the job waits for the BO's other users, and they for it.
    pub(crate) implicit: bool,
}

/// A job.
pub(crate) struct Job<'a> {
    /// The device.
    pub(crate) dev: &'a RgtDevice,
    /// Its GPU.
    pub(crate) gpu: &'a Gpu,
    /// The VM that it runs in.
    pub(crate) vm: &'a Vm,
    /// The engine that it runs on.
    pub(crate) engine: &'a Arc<Engine>,
    /// Its indirect buffers.
    pub(crate) ibs: &'a [Ib],
    /// The BOs that it uses.
    pub(crate) bos: &'a [JobBo],
}

impl Job<'_> {
    /// Submits the job. Returns its fence, which is on the reservations of its BOs.
    ///
    /// `EINVAL` for a BO that is twice in the list or that jobs cannot use, `ENOENT` when the VM is
    /// closed, `ENOSPC` or `ENOMEM` when there is no room, `ENODEV` when the GPU is dead.
    pub(crate) fn submit(&self) -> Result<ARef<Fence>> {
        let mut exec = Exec::new(
            ExecFlags {
                interruptible: true,
                ignore_duplicates: false,
            },
            self.bos.len() as u32 + 1,
        )?;

        self.lock_all(&mut exec).map_err(|err| match err {
            EALREADY => EINVAL,
            err => err,
        })?;
        self.queue(&exec)
    }

    /// Locks and validates, at first along with other jobs. If there is no room then alone: jobs
    /// that come now wait, and those that hold room, and BOs that are being destroyed, come to
    /// their end.
    fn lock_all(&self, exec: &mut Exec) -> Result {
        drop(self.dev.validation.lock());
        let first = exec.until_all_locked(|locks| self.lock(locks));
        if !matches!(first, Err(ENOSPC | ENOMEM)) {
            return first;
        }

        let _alone = self.dev.validation.lock();
        let mut last = first;
        for _ in 1..ATTEMPTS {
            self.dev.ttm.flush_deletes();
            last = exec.until_all_locked(|locks| self.lock(locks));
            if !matches!(last, Err(ENOSPC | ENOMEM)) {
                break;
            }
        }
        last
    }

    /// Locks all that the job uses and brings it to where the GPU sees it.
    fn lock(&self, locks: &mut ExecLocks<'_>) -> Result {
        let mut ctx = OperationCtx::new(true);

        self.vm.lock_resv(locks)?;
        for job_bo in self.bos {
            locks.lock(job_bo.bo.as_gem())?;
        }
        for job_bo in self.bos {
            let mut bo = Reserved::of_exec(locks, &job_bo.bo)?;
            validate(&mut bo, User::Gpu, &mut ctx)?;
        }
        rebind(self.vm, self.gpu, locks, &mut ctx)
    }

    /// Puts the job on the ring and its fence on the reservations.
    fn queue(&self, exec: &Exec) -> Result<ARef<Fence>> {
        let fence = self.engine.new_fence()?;
        let mut deps = Dependencies::new(self.gpu, self.engine);

        let vm_resv = exec.locked_resv(self.vm.resv())?;
        deps.add(vm_resv, Usage::Kernel)?;
        let mut vm_slot = vm_resv.reserve_fences(1)?;

        let mut slots = KVVec::with_capacity(self.bos.len(), GFP_KERNEL)?;
        for job_bo in self.bos {
            let resv = exec.resv_of(job_bo.bo.as_gem())?;
            // A writer waits for readers, a reader for writers only.
            deps.add(
                resv,
                match (job_bo.implicit, job_bo.write) {
                    (false, _) => Usage::Kernel,
                    (true, true) => Usage::Read,
                    (true, false) => Usage::Write,
                },
            )?;
            slots.push(resv.reserve_fences(1)?, GFP_KERNEL)?;
        }
        let deps = deps.wait_foreign(true)?;

        let body = Body::Indirect {
            // The VM's reservation is held: whoever closes the VM waits for this job.
            space: self.vm.space()?,
            ibs: self.ibs,
        };
        let fence = self.engine.submit(&deps, body, fence, None, true)?;

        vm_slot.add(&fence, Usage::Bookkeep);
        for (job_bo, slot) in self.bos.iter().zip(&mut slots) {
            slot.add(
                &fence,
                match (job_bo.implicit, job_bo.write) {
                    (false, _) => Usage::Bookkeep,
                    (true, true) => Usage::Write,
                    (true, false) => Usage::Read,
                },
            );
        }
        Ok(fence)
    }
}
