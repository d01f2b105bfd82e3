// SPDX-License-Identifier: GPL-2.0

//! From jobs of clients and of the kernel to the engines.
//!
//! Each engine has a scheduler, and each context an entity of each of them, in whose order its jobs
//! run. A job waits for its dependencies in its entity: nobody waits in an ioctl. One more scheduler
//! writes page tables when moves are done that somebody's job is to follow.

mod bind;
mod context;
mod dump;
mod job;
mod kernel;
mod queue;
mod state;
mod usage;

pub(crate) use self::{
    bind::{
        BindJob,
        BindQueue, //
    },
    context::Context,
    kernel::Dependencies,
    queue::{
        Queue,
        Queues, //
    },
    state::{
        Cause,
        Verdict, //
    },
    usage::Usage, //
};
