// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The DRM GPU scheduler.
//!
//! A [`Scheduler`] feeds one engine of a device. Jobs come to it through any number of queues, each
//! an [`Entity`] with a [`Priority`]. The jobs of an entity run in order, each when the fences that
//! it depends on have signalled and the scheduler has enough credits left.
//!
//! The driver says what a job is by implementing [`Job`]. What it goes through:
//!
//! 1. [`Entity::job()`] makes an [`UnarmedJob`], which collects dependencies. All that can fail
//!    happens now, and the job may be dropped at will.
//! 2. [`UnarmedJob::submit()`] cannot fail. It publishes the job's fence, which is sure to signal,
//!    and queues the job.
//! 3. [`Job::prepare()`] may have it wait for more, when its dependencies are met.
//! 4. [`Job::run()`] is called once, and gives the job to the hardware. When the fence that it
//!    returned signals, so does the job's, with the same error.
//! 5. If that takes too long, [`Job::is_hung()`] and [`Job::reset()`] are called, maybe more than
//!    once.
//! 6. The job is dropped.
//!
//! # What a job may not do
//!
//! Others wait for the fences of jobs with locks held and memory short, so nothing between 2 and 6
//! may allocate with `GFP_KERNEL`, take a reservation lock, or wait for fences other than those of
//! the hardware. That includes dropping the job, as the scheduler does that from where it runs
//! others. All calls are [`SignallingSection`]s, so that lockdep finds offenders.
//!
//! A job, its [`Job::Payload`] or its [`Job::Data`] may not own an [`Entity`], nor an [`Arc`] of a
//! [`Scheduler`], of the same scheduler: dropping one waits for the jobs. In the calls of the
//! scheduler, and where it drops jobs, those of killed entities among them, this is found and
//! warned of; the object then leaks and keeps the module.
//!
//! C header: [`include/drm/gpu_scheduler.h`](srctree/include/drm/gpu_scheduler.h)
//!
//! [`Arc`]: kernel::sync::Arc
//! [`SignallingSection`]: crate::rust::dma_fence::SignallingSection

mod entity;
mod job;
mod pause;
mod scheduler;

pub use self::{
    entity::{
        is_kernel_thread,
        Entity,
        Priority, //
    },
    job::{
        Job,
        UnarmedJob, //
    },
    pause::Paused,
    scheduler::Scheduler, //
};
