// SPDX-License-Identifier: GPL-2.0

//! A job that is being submitted: from its description to its entity.

use core::mem;

use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    },
    time::Instant, //
};

use crate::{
    bo::{
        lock_with_room,
        Bo,
        Effort, //
    },
    device::{
        registered,
        RgtDevice, //
    },
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
        fetch_stale,
        lost_flags,
        stable_pages,
        validate_bound,
        PagesSeen,
        Rebind,
        Vm, //
    }, //
};

/// How often a job is submitted anew because memory of a process has changed meanwhile.
const TRIES: usize = 16;

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
    /// The device stays awake until the job has ended.
    ///
    /// `EINVAL` for a BO that jobs cannot use, `ENOENT` when the VM is destroyed, `ENOSPC` or
    /// `ENOMEM` when there is no room for what is bound, `EIO` when the content of a BO is lost,
    /// `EFAULT` when memory of a process that is bound is gone, `ECANCELED` when the context takes no
    /// jobs any more, `EAGAIN` when it has too many for the engine or when such memory changes again
    /// and again, `ENODEV` when the GPU is dead. Nothing was submitted then.
    pub(crate) fn submit(&self, ibs: LazyVec<Ib>, mut out_syncs: OutSyncs) -> Result<ARef<Fence>> {
        self.context.check()?;
        if self.engine.is_dead() {
            return Err(ENODEV);
        }
        if !self.vm.has_user_pages() {
            return self.try_submit(ibs, &mut out_syncs, false)?.ok_or(EAGAIN);
        }

        let since = Instant::now();
        for _ in 0..TRIES {
            fetch_stale(self.vm, since).inspect_err(|err| {
                drm_dbg!(
                    self.dev,
                    "CS: no access to memory of a process that is bound in the VM: {err:?}\n"
                );
            })?;
            let ibs = LazyVec::collect(ibs.iter().copied(), GFP_KERNEL_ACCOUNT)?;
            if let Some(fence) = self.try_submit(ibs, &mut out_syncs, true)? {
                return Ok(fence);
            }
        }
        Err(EAGAIN)
    }

    /// Submits the job, which takes `out_syncs` then. Does not, and returns [`None`], if it
    /// `needs_pages` of processes that are bound, and they change meanwhile.
    fn try_submit(
        &self,
        ibs: LazyVec<Ib>,
        out_syncs: &mut OutSyncs,
        needs_pages: bool,
    ) -> Result<Option<ARef<Fence>>> {
        // Not before: pages may take any time to come.
        let _registered = registered(self.dev)?;
        let awake = self.dev.power.resume_and_get()?;
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

        let (mut locked, mut bound) = lock_with_room(
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
        if !needs_pages {
            // None was bound when the call began.
            bound.1 = PagesSeen::None;
        }
        self.queue(locked.exec_mut(), place, bound, ibs, out_syncs, awake)
    }

    /// Locks the reservations of the job, validates what it names and what was evicted.
    fn lock(
        &self,
        locks: &mut ExecLocks<'_>,
        effort: Effort,
    ) -> Result<(Option<KBox<Rebind>>, PagesSeen)> {
        let mut ctx = OperationCtx::new(true);

        self.vm.lock_resv(locks)?;
        let named = self.bos.iter().map(|job_bo| &*job_bo.bo);
        validate_bound(self.dev, self.vm, locks, named, effort, &mut ctx)
    }

    /// Submits the job to its entity, behind the rebind that it needs, and adds its fence to the
    /// reservations. Does not, and returns [`None`], if memory of a process has changed.
    fn queue(
        &self,
        exec: Pin<&mut Exec>,
        place: JobPlace<'_>,
        (rebind, seen): (Option<KBox<Rebind>>, PagesSeen),
        ibs: LazyVec<Ib>,
        out_syncs: &mut OutSyncs,
        awake: Awake,
    ) -> Result<Option<ARef<Fence>>> {
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
        // Last, as nothing may be allocated from here on.
        let Some(_pages) = stable_pages(self.vm, seen) else {
            return Ok(None);
        };
        let out_syncs = mem::replace(out_syncs, OutSyncs::new());
        Ok(Some(job.submit(|fence| slots.attach(fence, out_syncs))))
    }
}
