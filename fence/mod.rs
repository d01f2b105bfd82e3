// SPDX-License-Identifier: GPL-2.0

//! The driver's fences.
//!
//! # The life of a fence
//!
//! Each engine has a [`Timeline`]: a fence context whose sequence numbers are those of the engine's
//! jobs.
//!
//! 1. [`Timeline::new_fence`] allocates the fence before its job is queued, where that may still
//!    fail.
//! 2. [`InFlight::publish`] gives it the next sequence number when the scheduler runs the job,
//!    along with the packets in the ring that write this number to the engine's [`StatusPage`].
//!    From here on it is sure to signal.
//! 3. The engine writes the number to [`StatusPage::last_seqno`] and raises its interrupt. The
//!    threaded handler, or the watchdog if the interrupt was lost, takes the job out of the
//!    [`InFlight`] ones with an [`Outcome`].
//! 4. The job's [`CompletionCallback`] runs: it sees the outcome and decides with which error the
//!    fence signals, if any. Only then does it signal.
//! 5. A reset of the engine, or of the device, finds jobs in flight. Each is retried, cancelled or
//!    left as it is, as its callback says ([`Reset`]); a cancelled one keeps its place, so that the
//!    fences of the timeline still signal in order.
//!
//! User space does not see these fences: the scheduler has one of its own for each job, which
//! signals when this one does. That is the fence that [`JobSlots`] attaches to reservations and
//! syncobjs, and that other jobs have among their [`Dependencies`].
//!
//! # The signalling path
//!
//! Any code that has to run for a fence to signal must not wait for anything that could wait for
//! that fence: it must not allocate memory in a way that enters reclaim (`GFP_KERNEL`), lock a
//! reservation, or wait for a fence. This holds for
//!
//! - [`InFlight::publish`] and everything after it: threaded interrupt handlers, watchdogs,
//!   time-outs and resets,
//! - all methods of [`CompletionCallback`], and dropping one,
//! - all locks that are taken there, wherever else they are taken.
//!
//! Each way in opens a [`SignallingSection`], with which lockdep finds offenders. All memory that
//! the path needs is allocated before: fences with their jobs, and room for the jobs in flight with
//! the engine.
//!
//! [`SignallingSection`]: crate::rust::dma_fence::SignallingSection

mod completion;
mod status_page;
mod sync;
mod timeline;

pub(crate) use self::{
    completion::{
        Access,
        Completion,
        CompletionCallback,
        Fault,
        FaultReason,
        Outcome,
        Reset, //
    },
    status_page::StatusPage,
    sync::{
        BoUse,
        Dependencies,
        JobSlots,
        JobUses,
        OutSyncs, //
    },
    timeline::{
        InFlight,
        Timeline,
        MAX_IN_FLIGHT, //
    }, //
};
