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
        lock_with_room,
        Bo,
        Effort, //
    },
    device::RgtDevice,
    fence::{
        BoUse,
        Dependencies,
        JobSlots,
        JobUses,
        OutSyncs, //
    },
    hw::{
        Commands,
        Engine,
        Ib, //
    },
    rust::{
        alloc::LazyVec,
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
        },
        pm::runtime::Awake, //
    },
    sched::{
        Context,
        JobPlace, //
    },
    vm::{
        lost_flags,
        validate_bound,
        Rebind,
        Vm, //
    }, //
};

/// A BO that a job names, for implicit synchronisation.
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
    /// The BOs that it names.
    pub(crate) bos: &'a [JobBo],
    /// The fences of syncobjs that it waits for.
    pub(crate) in_syncs: &'a Dependencies,
}

impl Submission<'_> {
    /// Submits the job, with its indirect buffers and what takes its fence. That is on the
    /// reservations of its VM, of the BOs that are bound there, and of those of its list then.
    /// The device stays `awake` until the job has ended.
    ///
    /// `EINVAL` for a BO that jobs cannot use, `ENOENT` when the VM is destroyed, `ENOSPC` or
    /// `ENOMEM` when there is no room for what is bound, `EIO` when the content of a BO is lost,
    /// `ECANCELED` when the context takes no jobs any more, `EAGAIN` when it has too many for the
    /// engine, `ENODEV` when the GPU is dead. Nothing was submitted then.
    pub(crate) fn submit(
        &self,
        ibs: LazyVec<Ib>,
        out_syncs: OutSyncs,
        awake: Awake,
    ) -> Result<ARef<Fence>> {
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
        let flags = ExecFlags {
            interruptible: true,
            ignore_duplicates: true,
        };
        let count = self.vm.likely_locked(self.bos.len());
        pin_init::stack_pin_init!(let exec = Exec::new(flags, count));

        let (mut locked, rebind) = lock_with_room(
            self.dev,
            exec,
            |locks, effort| self.lock(locks, effort),
            |time| self.vm.wait_for_binds(time),
        )
        .inspect_err(|&err| {
            if err == ENOSPC {
                drm_dbg!(self.dev, "CS: no room for what is bound in the VM\n");
            }
        })?;
        self.vm.note_locked(locked.exec());
        self.queue(locked.exec_mut(), place, rebind, ibs, out_syncs, awake)
    }

    /// Locks the reservations of the job, validates what it names and what was evicted.
    fn lock(&self, locks: &mut ExecLocks<'_>, effort: Effort) -> Result<Option<Rebind>> {
        let mut ctx = OperationCtx::new(true);

        self.vm.lock_resv(locks)?;
        let named = self.bos.iter().map(|job_bo| &*job_bo.bo);
        validate_bound(self.dev, self.vm, locks, named, effort, &mut ctx)
    }

    /// Submits the job to its entity, behind the rebind that it needs, and adds its fence to the
    /// reservations.
    fn queue(
        &self,
        exec: Pin<&mut Exec>,
        place: JobPlace<'_>,
        rebind: Option<Rebind>,
        ibs: LazyVec<Ib>,
        out_syncs: OutSyncs,
        awake: Awake,
    ) -> Result<ARef<Fence>> {
        // With the VM's reservation held: destroying the VM waits for this job.
        let commands = Commands::indirect(self.vm.space()?.clone(), ibs)?;
        if let Some(rebind) = rebind {
            rebind.submit(self.vm, &exec, awake.clone())?;
        }
        if self.vm.uses_vram() {
            self.context.uses_vram();
        }

        let lost = lost_flags(self.vm)?;
        let mut job = self
            .context
            .job(place, self.engine, self.client, commands, lost, awake)?;
        job.add_resv_dependencies(exec.locked_resv(self.vm.resv())?, Usage::Kernel)?;
        // The rebind is among these.
        self.vm.add_bind_dependencies(&mut job)?;
        let mut uses = JobUses::new(&exec, self.bos.len())?;
        for job_bo in self.bos {
            let (index, resv) = exec.entry_of(job_bo.bo.as_gem())?;
            job.add_resv_dependencies(resv, job_bo.bo_use.waits_for())?;
            uses.add(index, job_bo.bo_use)?;
        }
        self.in_syncs.add_to(&mut job)?;

        let slots = JobSlots::new(exec, uses)?;
        Ok(job.submit(|fence| slots.attach(fence, out_syncs)))
    }
}
