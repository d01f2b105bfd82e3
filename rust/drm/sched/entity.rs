// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Queues of jobs.

use core::{
    mem::ManuallyDrop,
    ptr, //
};

use kernel::{
    error::to_result,
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            AtomicType,
            Relaxed, //
        },
        Arc,
        Mutex, //
    },
    time::{
        msecs_to_jiffies,
        Jiffies, //
    },
    types::Opaque, //
};

use super::{
    job::{
        Job,
        UnarmedJob, //
    },
    scheduler::Scheduler, //
};
use crate::rust::{
    bindings,
    dma_fence::{
        clamp_timeout,
        Fence, //
    }, //
};

/// The priority of an [`Entity`]: as long as one has a job that could run, no lower one's is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i32)]
pub enum Priority {
    /// Below the default.
    Low,
    /// The default.
    Normal,
    /// Above the default. To be granted to privileged clients only.
    High,
    /// For jobs of the kernel that others depend on, such as moves of memory.
    Kernel,
}

// SAFETY: It has the size and alignment of its representation, and each of its values one there.
unsafe impl AtomicType for Priority {
    type Repr = i32;
}

impl Priority {
    fn as_raw(self) -> bindings::drm_sched_priority {
        match self {
            Self::Low => bindings::drm_sched_priority_DRM_SCHED_PRIORITY_LOW,
            Self::Normal => bindings::drm_sched_priority_DRM_SCHED_PRIORITY_NORMAL,
            Self::High => bindings::drm_sched_priority_DRM_SCHED_PRIORITY_HIGH,
            Self::Kernel => bindings::drm_sched_priority_DRM_SCHED_PRIORITY_KERNEL,
        }
    }
}

/// Milliseconds that a task which exits waits until the hardware has the jobs of its entities.
const EXIT_MS: u32 = 1000;

/// Returns whether the current task exits.
fn is_exiting() -> bool {
    // SAFETY: It may be called in any context.
    unsafe { bindings::rgt_current_is_exiting() }
}

/// Returns whether the current task is the kernel's.
pub fn is_kernel_thread() -> bool {
    // SAFETY: It may be called in any context.
    unsafe { bindings::rgt_current_is_kernel_thread() }
}

/// A queue of jobs that are run in order.
///
/// Dropping it waits until all jobs in it have been given to the hardware, however long what they
/// depend on takes, unless [`Entity::flush_at_exit()`] was called before; if the task is killed, or takes longer than a second while it exits, they end
/// with [`ESRCH`] instead, as they do at once with [`Entity::kill()`]. What the hardware already
/// has goes on in both cases. Like the scheduler, it must be dropped in process context and not in
/// a call by the scheduler itself.
///
/// # Invariants
///
/// `raw` points to an initialised `struct drm_sched_entity` of `sched` alone, in memory of a
/// [`KBox`] that this owns.
pub struct Entity<J: Job> {
    raw: *mut Opaque<bindings::drm_sched_entity>,
    /// Keeps fences in the order of the queue.
    order: Pin<KBox<Mutex<()>>>,
    /// How long dropping it waits in a task that exits.
    patience: Atomic<Jiffies>,
    sched: ManuallyDrop<Arc<Scheduler<J>>>,
}

// SAFETY: An entity is not bound to a thread.
unsafe impl<J: Job> Send for Entity<J> {}

// SAFETY: What changes the queue is under `order`, and the scheduler's side has its own locks.
unsafe impl<J: Job> Sync for Entity<J> {}

impl<J: Job> Entity<J> {
    /// Creates an empty queue for `sched`.
    pub fn new(sched: &Arc<Scheduler<J>>, priority: Priority) -> Result<Self> {
        let order = KBox::pin_init(new_mutex!((), "Entity::order"), GFP_KERNEL)?;
        let raw = KBox::new(Opaque::<bindings::drm_sched_entity>::uninit(), GFP_KERNEL)?;
        let mut list = [sched.as_raw()];

        // SAFETY: The memory is valid and stays where it is. A list of one scheduler is not used
        // after the call.
        to_result(unsafe {
            bindings::drm_sched_entity_init(
                raw.get(),
                priority.as_raw(),
                list.as_mut_ptr(),
                1,
                ptr::null_mut(),
            )
        })?;

        // INVARIANT: It was just initialised.
        Ok(Self {
            raw: KBox::into_raw(raw),
            order,
            patience: Atomic::new(msecs_to_jiffies(EXIT_MS)),
            sched: ManuallyDrop::new(sched.clone()),
        })
    }

    /// Returns the scheduler.
    pub fn scheduler(&self) -> &Arc<Scheduler<J>> {
        &self.sched
    }

    /// Sets the priority of the queue.
    ///
    /// C: `drm_sched_entity_set_priority()`.
    pub fn set_priority(&self, priority: Priority) {
        // SAFETY: By the type invariant the entity is valid.
        unsafe { bindings::drm_sched_entity_set_priority(self.as_raw(), priority.as_raw()) };
    }

    /// Returns how many jobs are in the queue and not with the hardware yet.
    pub fn queued(&self) -> u32 {
        // SAFETY: By the type invariant the entity is valid, and this is an `atomic_t` that C
        // accesses atomically as well.
        let count = unsafe {
            Atomic::<i32>::from_ptr(&raw mut (*self.as_raw()).job_queue.job_count.counter)
        };

        // CAST: It is never negative.
        count.load(Relaxed) as u32
    }

    /// Returns whether a fence is that of one of the queue's jobs, which run in order.
    pub(super) fn owns(&self, fence: &Fence) -> bool {
        // SAFETY: By the type invariant the entity is valid, and its contexts do not change.
        let first = unsafe { (*self.as_raw()).fence_context };

        // A job's fences are of two contexts: that it runs, and that it has ended.
        fence.context().wrapping_sub(first) <= 1
    }

    /// Creates a job for this queue.
    ///
    /// `credits` is the job's share of the scheduler's limit while the hardware has it: [`EINVAL`]
    /// if it is 0 or more than that. `client_id` is the number of the DRM client that it is for,
    /// shown in trace events; 0 if there is none.
    #[inline]
    pub fn job(
        &self,
        credits: u32,
        client_id: u64,
        job: J,
        payload: J::Payload,
    ) -> Result<UnarmedJob<'_, J>> {
        if credits == 0 || credits > self.sched.credit_limit() {
            return Err(EINVAL);
        }
        UnarmedJob::new(self, credits, client_id, job, payload)
    }

    /// Has a task that exits wait for many queues no longer than for one: waits until the hardware
    /// has all of their jobs, and dropping them does not wait any more. One of the kernel's, which may
    /// have the last references to many files, waits for none. In another task this does nothing.
    pub fn flush_at_exit<'a>(entities: impl Iterator<Item = &'a Self> + Clone) {
        let mut left = match (is_kernel_thread(), is_exiting()) {
            (true, _) => 0,
            (_, true) => clamp_timeout(msecs_to_jiffies(EXIT_MS)),
            _ => return,
        };
        for entity in entities.clone() {
            if left == 0 {
                break;
            }
            // SAFETY: By the type invariant the entity is valid.
            left = unsafe { bindings::rgt_drm_sched_entity_wait(entity.as_raw(), left) };
        }
        for entity in entities {
            entity.patience.store(0, Relaxed);
        }
    }

    /// Ends what is queued with [`ESRCH`], instead of waiting for it.
    ///
    /// A job's fence still waits for the fences that the job depends on, so that it keeps saying
    /// when they are done.
    pub fn kill(self) {
        if !self.sched.is_current() {
            // SAFETY: By the type invariant the entity is valid. As `self` is consumed nothing
            // more is queued.
            unsafe { bindings::drm_sched_entity_kill(self.as_raw()) };
        }
    }

    pub(super) fn as_raw(&self) -> *mut bindings::drm_sched_entity {
        self.raw.cast()
    }

    pub(super) fn order(&self) -> &Mutex<()> {
        &self.order
    }
}

impl<J: Job> Drop for Entity<J> {
    fn drop(&mut self) {
        if kernel::warn_on!(self.sched.is_current()) {
            // Waiting for the scheduler would take for ever. What leaks keeps the scheduler, whose
            // code must stay.
            //
            // SAFETY: It may always be called.
            unsafe { bindings::rgt_module_pin() };
            return;
        }

        // As `drm_sched_entity_destroy()`, but the callback of the fence that the next job depends
        // on may be running.
        //
        // SAFETY: By the type invariant the entity is valid, and it is destroyed only here. Its
        // jobs' makers borrow from it, so nothing more is queued.
        unsafe {
            let patience = clamp_timeout(self.patience.load(Relaxed));
            if patience != 0 {
                bindings::rgt_drm_sched_entity_flush(self.as_raw(), patience);
            }
            bindings::drm_sched_entity_kill(self.as_raw());
            bindings::rgt_drm_sched_entity_forget_dependency(self.as_raw());
            bindings::drm_sched_entity_fini(self.as_raw());
        }

        // SAFETY: The memory is from a `KBox`, hence from `kmalloc()`, and owned. Nothing uses it
        // after that callback, which is in an RCU read-side critical section.
        unsafe { bindings::kvfree_call_rcu(ptr::null_mut(), self.raw.cast()) };

        // SAFETY: It is dropped once, and not used after.
        unsafe { ManuallyDrop::drop(&mut self.sched) };
    }
}
