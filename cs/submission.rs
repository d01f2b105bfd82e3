// SPDX-License-Identifier: GPL-2.0

//! A job that is being submitted: from its description to its entity.

use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    }, //
};

use crate::{
    bo::{
        validate,
        Bo,
        Reserved, //
    },
    device::RgtDevice,
    hw::{
        Commands,
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
            syncobj::OutSync,
            ttm::OperationCtx, //
        }, //
    },
    sched::Context,
    vm::{
        rebind,
        Binds,
        Vm, //
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

impl JobBo {
    /// What the job waits for: a writer for readers, a reader for writers only.
    fn waits_for(&self) -> Usage {
        match (self.implicit, self.write) {
            (false, _) => Usage::Kernel,
            (true, true) => Usage::Read,
            (true, false) => Usage::Write,
        }
    }

    /// What the job is to others.
    fn usage(&self) -> Usage {
        match (self.implicit, self.write) {
            (false, _) => Usage::Bookkeep,
            (true, true) => Usage::Write,
            (true, false) => Usage::Read,
        }
    }
}

/// A job that is being submitted.
pub(crate) struct Submission<'a> {
    /// The device.
    pub(crate) dev: &'a RgtDevice,
    /// Its GPU.
    pub(crate) gpu: &'a Gpu,
    /// The context that the job belongs to.
    pub(crate) context: &'a Context,
    /// The client.
    pub(crate) client: u64,
    /// The engine that it runs on.
    pub(crate) engine: &'a Arc<Engine>,
    /// The VM that it runs in.
    pub(crate) vm: &'a Vm,
    /// Its indirect buffers.
    pub(crate) ibs: KVec<Ib>,
    /// The BOs that it uses.
    pub(crate) bos: &'a [JobBo],
    /// What it waits for besides.
    pub(crate) waits: KVVec<ARef<Fence>>,
    /// Where its fence is put besides.
    pub(crate) signals: KVVec<OutSync>,
}

impl Submission<'_> {
    /// Submits the job. Its fence is on the reservations of its BOs then.
    ///
    /// `EINVAL` for a BO that is twice in the list or that jobs cannot use, `ENOENT` when the VM is
    /// closed, `ENOSPC` or `ENOMEM` when there is no room, `ECANCELED` when the context takes no
    /// jobs any more, `ENODEV` when the GPU is dead. Nothing was submitted then.
    pub(crate) fn submit(self) -> Result<ARef<Fence>> {
        self.context.check()?;
        if self.engine.is_dead() {
            return Err(ENODEV);
        }
        let mut exec = Exec::new(
            ExecFlags {
                interruptible: true,
                ignore_duplicates: false,
            },
            self.bos.len() as u32 + 1,
        )?;

        let binds = self.lock_all(&mut exec).map_err(|err| match err {
            EALREADY => EINVAL,
            err => err,
        })?;
        self.queue(&exec, binds)
    }

    /// Locks and validates, at first along with other jobs. If there is no room then alone: jobs
    /// that come now wait, and those that hold room, and BOs that are being destroyed, come to
    /// their end.
    fn lock_all(&self, exec: &mut Exec) -> Result<Option<Binds>> {
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
    fn lock(&self, locks: &mut ExecLocks<'_>) -> Result<Option<Binds>> {
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

    /// Puts the job into its entity, behind the page-table entries that it needs, and its fence on
    /// the reservations.
    fn queue(self, exec: &Exec, binds: Option<Binds>) -> Result<ARef<Fence>> {
        let engine = self.engine;

        // One for the entries and one for the job.
        let vm_resv = exec.locked_resv(self.vm.resv())?;
        let mut vm_slots = vm_resv.reserve_fences(2)?;
        let mut slots = KVVec::with_capacity(self.bos.len(), GFP_KERNEL)?;
        let mut lost = KVVec::new();
        for job_bo in self.bos {
            let resv = exec.resv_of(job_bo.bo.as_gem())?;
            slots.push(resv.reserve_fences(2)?, GFP_KERNEL)?;
            if !resv.test_signaled(Usage::Kernel) {
                lost.push(job_bo.bo.lost.clone(), GFP_KERNEL)?;
            }
        }

        let binds = match binds {
            Some(binds) => Some(binds.into_job(self.vm)?),
            None => None,
        };
        // The VM's reservation is held: whoever closes the VM waits for this job.
        let commands = Commands::indirect(self.vm.space()?, self.ibs)?;
        let mut job = self.context.job(engine, self.client, commands, lost)?;
        job.add_resv_dependencies(vm_resv, Usage::Kernel)?;
        for job_bo in self.bos {
            let resv = exec.resv_of(job_bo.bo.as_gem())?;
            job.add_resv_dependencies(resv, job_bo.waits_for())?;
        }
        for fence in self.waits {
            job.add_dependency(fence)?;
        }

        if let Some(binds) = binds {
            let bound = binds.submit(self.vm, exec, |fence| {
                vm_slots.add(fence, Usage::Kernel);
                for slot in &mut slots {
                    slot.add(fence, Usage::Bookkeep);
                }
            });
            job.add_dependency(bound)?;
        }
        if self.vm.uses_vram() {
            self.context.uses_vram();
        }
        let signals = self.signals;
        Ok(job.submit(|fence| {
            vm_slots.add(fence, Usage::Bookkeep);
            for (job_bo, slot) in self.bos.iter().zip(&mut slots) {
                slot.add(fence, job_bo.usage());
            }
            for out in signals {
                out.set(fence);
            }
        }))
    }
}
