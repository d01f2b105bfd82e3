// SPDX-License-Identifier: GPL-2.0

//! A job that is being submitted: from its description to its entity.

use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    }, //
};

use super::room::lock_with_room;
use crate::{
    bo::{
        validate_all,
        Bo,
        Effort, //
    },
    device::RgtDevice,
    fence::{
        BoUse,
        Dependencies,
        JobSlots,
        OutSyncs, //
    },
    hw::{
        Commands,
        Engine,
        Ib, //
    },
    rust::{
        dma_fence::Fence,
        dma_resv::Usage,
        drm::{
            exec::{
                Exec,
                ExecFlags,
                ExecLocks, //
            },
            print::drm_dbg,
            ttm::OperationCtx, //
        }, //
    },
    sched::{
        Context,
        JobPlace, //
    },
    vm::{
        rebind,
        Binds,
        Vm, //
    }, //
};

/// A BO that a job uses.
pub(crate) struct JobBo {
    /// The BO; none that is private to a VM.
    pub(crate) bo: ARef<Bo>,
    /// The job's use of it.
    pub(crate) bo_use: BoUse,
}

/// A job that is being submitted.
pub(crate) struct Submission<'a> {
    /// The device.
    pub(crate) dev: &'a RgtDevice,
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
    /// The fences of syncobjs that it waits for.
    pub(crate) in_syncs: Dependencies,
    /// The syncobjs that take its fence.
    pub(crate) out_syncs: OutSyncs,
}

impl Submission<'_> {
    /// Submits the job. Its fence is on the reservations of its BOs then.
    ///
    /// `EINVAL` for a BO that is twice in the list or that jobs cannot use, `ENOENT` when the VM is
    /// closed, `ENOSPC` or `ENOMEM` when there is no room, `ECANCELED` when the context takes no
    /// jobs any more, `EAGAIN` when it has too many for the engine, `ENODEV` when the GPU is dead.
    /// Nothing was submitted then.
    pub(crate) fn submit(self) -> Result<ARef<Fence>> {
        self.context.check()?;
        if self.engine.is_dead() {
            return Err(ENODEV);
        }
        let place = self.context.place(self.engine).inspect_err(|_| {
            drm_dbg!(
                self.dev,
                "CS: engine {}: too many jobs of the context wait for it\n",
                self.engine.index()
            );
        })?;
        let exec = Exec::new(
            ExecFlags {
                interruptible: true,
                ignore_duplicates: false,
            },
            self.bos.len() as u32 + 1,
        )?;

        let (locked, binds) =
            lock_with_room(self.dev, exec, |locks, effort| self.lock(locks, effort)).inspect_err(
                |&err| {
                    if err == ENOSPC {
                        drm_dbg!(
                            self.dev,
                            "CS: bos: no room for the {} of the list and those of the VM\n",
                            self.bos.len()
                        );
                    }
                },
            )?;
        self.queue(locked.exec(), place, binds)
    }

    /// Locks the reservations of the job, validates its BOs and rebinds the VM.
    fn lock(&self, locks: &mut ExecLocks<'_>, effort: Effort) -> Result<Option<Binds>> {
        let mut ctx = OperationCtx::new(true);

        self.vm.lock_resv(locks)?;
        for (index, job_bo) in self.bos.iter().enumerate() {
            locks
                .lock(job_bo.bo.as_gem())
                .map_err(|err| self.not_locked(index, err))?;
        }
        let bos = self.bos.iter().map(|job_bo| &*job_bo.bo);
        validate_all(locks, bos, effort, &mut ctx)?;
        rebind(self.vm, locks, effort, &mut ctx)
    }

    /// Returns the error of the call when the BO at `index` of the list could not be locked.
    fn not_locked(&self, index: usize, err: Error) -> Error {
        if err != EALREADY {
            return err;
        }
        drm_dbg!(
            self.dev,
            "CS: bos[{index}].handle: the BO is in the list twice\n"
        );
        EINVAL
    }

    /// Submits the job to its entity, behind the bind job that it needs, and adds its fence to the
    /// reservations.
    fn queue(self, exec: &Exec, place: JobPlace<'_>, binds: Option<Binds>) -> Result<ARef<Fence>> {
        let engine = self.engine;

        let vm_resv = exec.locked_resv(self.vm.resv())?;
        let mut slots = JobSlots::new(vm_resv, self.bos.len())?;
        let mut lost = KVVec::new();
        for job_bo in self.bos {
            let resv = exec.resv_of(job_bo.bo.as_gem())?;
            slots.add_bo(resv, job_bo.bo_use)?;
            if !resv.test_signaled(Usage::Kernel) {
                lost.push(job_bo.bo.lost.clone(), GFP_KERNEL_ACCOUNT)?;
            }
        }

        let binds = match binds {
            Some(binds) => Some(binds.into_job(self.vm)?),
            None => None,
        };
        // The VM's reservation is held: destroying the VM waits for this job.
        let commands = Commands::indirect(self.vm.space()?, self.ibs)?;
        let mut job = self
            .context
            .job(place, engine, self.client, commands, lost)?;
        job.add_resv_dependencies(vm_resv, Usage::Kernel)?;
        for job_bo in self.bos {
            let resv = exec.resv_of(job_bo.bo.as_gem())?;
            job.add_resv_dependencies(resv, job_bo.bo_use.waits_for())?;
        }
        self.in_syncs.add_to(&mut job)?;

        if let Some(binds) = binds {
            let bound = binds.submit(self.vm, exec, |fence| slots.attach_bind(fence));
            job.add_dependency(bound)?;
        }
        if self.vm.uses_vram() {
            self.context.uses_vram();
        }
        let out_syncs = self.out_syncs;
        Ok(job.submit(|fence| slots.attach_job(fence, out_syncs)))
    }
}
