// SPDX-License-Identifier: GPL-2.0

//! Synchronisation of jobs: the fences that a job waits for, and where it attaches its own.

use kernel::{
    drm::{
        self,
        file::DriverFile, //
    },
    prelude::*,
    sync::aref::ARef, //
};

use crate::rust::{
    alloc::LazyVec,
    dma_fence::Fence,
    dma_resv::{
        LockedResv,
        Usage, //
    },
    drm::{
        exec::{
            AllSlots,
            Exec, //
        },
        sched::{
            Job,
            UnarmedJob, //
        },
        syncobj::{
            find_fence,
            OutSync, //
        }, //
    },
    user_fence::{
        ArmableFence,
        UserFence,
        UserFenceQueue, //
    }, //
};

/// How a job uses a BO.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BoUse {
    /// Without implicit synchronisation.
    Explicit,
    /// Implicitly synchronised, for reading.
    Read,
    /// Implicitly synchronised, for writing.
    Write,
}

impl BoUse {
    /// Returns the usage of the fences that the job waits for: a writer waits for readers and
    /// writers, a reader for writers, and every job for moves and clears.
    pub(crate) fn waits_for(self) -> Usage {
        match self {
            Self::Explicit => Usage::Kernel,
            Self::Read => Usage::Write,
            Self::Write => Usage::Read,
        }
    }

    /// Returns the usage that the job's fence is attached with.
    pub(crate) fn attaches(self) -> Usage {
        match self {
            Self::Explicit => Usage::Bookkeep,
            Self::Read => Usage::Read,
            Self::Write => Usage::Write,
        }
    }
}

/// Fences that a job waits for.
pub(crate) struct Dependencies(LazyVec<ARef<Fence>>);

impl Dependencies {
    /// Makes an empty list.
    pub(crate) const fn new() -> Self {
        Self(LazyVec::new())
    }

    /// Returns whether the list is empty.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds all fences up to `usage` of a reservation that have not signalled.
    pub(crate) fn add_resv(&mut self, resv: &LockedResv<'_>, usage: Usage) -> Result {
        resv.for_each_fence(usage, |fence| self.0.push(fence.into(), GFP_KERNEL))
    }

    /// Adds the fence that a syncobj has now, or has at `point` if that is not 0.
    ///
    /// The errors are those of [`find_fence()`].
    pub(crate) fn add_syncobj<T: DriverFile>(
        &mut self,
        file: &drm::File<T>,
        handle: u32,
        point: u64,
    ) -> Result {
        self.0
            .push(find_fence(file, handle, point)?, GFP_KERNEL_ACCOUNT)
    }

    /// Has `job` wait for the fences.
    pub(crate) fn add_to<J: Job>(&self, job: &mut UnarmedJob<'_, J>) -> Result {
        self.0
            .iter()
            .try_for_each(|fence| job.add_dependency(fence.clone()))
    }
}

/// Syncobjs that take the fence of a job, and words of the process's memory that are written when it
/// has signalled.
pub(crate) struct OutSyncs {
    syncobjs: LazyVec<OutSync>,
    user_fences: LazyVec<ArmableFence>,
}

impl OutSyncs {
    /// Makes an empty list.
    pub(crate) const fn new() -> Self {
        Self {
            syncobjs: LazyVec::new(),
            user_fences: LazyVec::new(),
        }
    }

    /// Adds a syncobj, or a point of it if that is not 0.
    ///
    /// The errors are those of [`OutSync::find()`].
    pub(crate) fn add<T: DriverFile>(
        &mut self,
        file: &drm::File<T>,
        handle: u32,
        point: u64,
    ) -> Result {
        self.syncobjs
            .push(OutSync::find(file, handle, point)?, GFP_KERNEL_ACCOUNT)
    }

    /// Adds a word of the current process's memory, which gets `value`.
    ///
    /// The errors are those of [`UserFence::prepare()`].
    pub(crate) fn add_user_fence(
        &mut self,
        queue: &UserFenceQueue,
        address: u64,
        value: u64,
    ) -> Result {
        let fence = UserFence::prepare(queue, address, value)?;

        self.user_fences.push(fence, GFP_KERNEL_ACCOUNT)
    }

    /// Puts `fence` into all of them.
    pub(crate) fn set(self, fence: &Fence) {
        self.syncobjs.into_iter().for_each(|out| out.set(fence));
        self.user_fences
            .into_iter()
            .for_each(|user_fence| user_fence.arm(fence));
    }
}

/// The uses that a job makes of what was locked for it: of the BOs that it names, and of all else that
/// is bound in its VM [`BoUse::Explicit`].
pub(crate) struct JobUses {
    /// The usages of the job's fence, by the indices of [`Exec::entry_of`]. Empty if all are
    /// [`Usage::Bookkeep`].
    usages: LazyVec<Usage>,
}

impl JobUses {
    /// Makes those of a job that names `named` BOs, all of which `exec` has locked.
    pub(crate) fn new(exec: &Exec, named: usize) -> Result<Self> {
        let count = if named == 0 { 0 } else { exec.len() };

        Ok(Self {
            usages: LazyVec::from_elem(Usage::Bookkeep, count, GFP_KERNEL)?,
        })
    }

    /// Adds the use of the BO of the reservation that has an index of [`Exec::entry_of`]. Of several
    /// uses the strictest counts. `EINVAL` if the job names no BO.
    pub(crate) fn add(&mut self, index: usize, bo_use: BoUse) -> Result {
        let usage = self.usages.get_mut(index).ok_or(EINVAL)?;

        *usage = (*usage).min(bo_use.attaches());
        Ok(())
    }
}

/// Room for the fence of a job on all reservations that were locked for it.
///
/// All that may fail is done when this is made: attaching neither allocates nor fails.
pub(crate) struct JobSlots<'a> {
    slots: AllSlots<'a>,
    uses: JobUses,
}

impl<'a> JobSlots<'a> {
    /// Reserves a slot of each reservation that `exec` holds: those of the job's VM and of the BOs
    /// that are bound in it or that the job names.
    pub(crate) fn new(exec: Pin<&'a mut Exec>, uses: JobUses) -> Result<Self> {
        Ok(Self {
            slots: exec.reserve_all()?,
            uses,
        })
    }

    /// Attaches the fence of the job, also to syncobjs.
    pub(crate) fn attach(self, fence: &Fence, syncobjs: OutSyncs) {
        let usages = &*self.uses.usages;

        self.slots.add(fence, |index| {
            usages.get(index).copied().unwrap_or(Usage::Bookkeep)
        });
        syncobjs.set(fence);
    }
}
