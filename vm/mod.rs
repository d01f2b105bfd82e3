// SPDX-License-Identifier: GPL-2.0

//! GPU address spaces.
//!
//! GPUVM keeps the mappings, `hw` the page tables. Both change in the jobs of bind queues, together
//! and in the order of the queue. What is bound is resident when a job of the VM runs: BOs that were
//! moved away are evicted for GPUVM, and CS has them validated and mapped again, by one more job,
//! before its own.
//!
//! A move takes a BO out of the page tables of all VMs behind the jobs that use it, and before its
//! old place is given to others; see [`Mappings`].
//!
//! Locks, outer ones first: reservations, an update of page tables, the VM's mappings, a BO's GPUVA
//! lock, the lock of an address space's tables. All but the reservations are taken where fences
//! signal: nothing is allocated while one of them is held.

mod arrivals;
mod backing;
mod bind;
mod cleanup;
mod data;
mod displaced;
mod handle;
mod invalidate;
mod leaves;
mod op;
mod pending_binds;
mod prepared_op;
mod queue;
mod reaper;
mod rebind;
mod stop_access;
pub(crate) mod trace;
mod update;
mod user;

pub(crate) use self::{
    bind::bind,
    cleanup::VmInUse,
    data::{
        Access,
        Vm,
        VA_RANGE, //
    },
    handle::{
        VmHandle,
        MAX_BIND_QUEUES, //
    },
    invalidate::Mappings,
    op::BindOp,
    queue::BindQueue,
    reaper::{
        ReaperGuard,
        PATIENCE, //
    },
    rebind::{
        lost_flags,
        validate_bound,
        Rebind, //
    },
    user::{
        fetch_stale,
        stable_pages,
        PagesSeen, //
    }, //
};
