// SPDX-License-Identifier: GPL-2.0

//! Scheduling of jobs of clients and of the kernel on the engines.
//!
//! Each engine has a scheduler, and each context an entity of each of them, in whose order its jobs
//! run. A job waits for its dependencies in its entity, never in an ioctl. One more scheduler runs
//! binds, which write page tables when moves are done.

mod bind;
mod context;
mod coredump;
mod job;
mod kernel;
mod load;
mod queue;
mod status;
pub(crate) mod turn;
mod unmap;
mod usage;
mod window;

pub(crate) use self::{
    bind::{
        BindEntity,
        PageTableUpdate, //
    },
    context::{
        Context,
        JobPlace, //
    },
    queue::{
        Queue,
        Queues, //
    },
    status::{
        Cause,
        ContextStatus,
        ResetStats, //
    },
    usage::Usage,
    window::{
        Window,
        WINDOW_PAGES, //
    }, //
};
