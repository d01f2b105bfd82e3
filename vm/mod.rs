// SPDX-License-Identifier: GPL-2.0

//! GPU address spaces.
//!
//! GPUVM keeps the mappings, `hw` the page tables. The tables follow the mappings: binding only
//! reserves room in them, and the next job that uses the VM has the entries written of the BOs that
//! it reserves: at once, or behind their moves. A move invalidates the entries again, see
//! [`Mappings`].
//!
//! Locks, outer ones first: reservations, the VM's mappings, a BO's GPUVA lock. The page tables'
//! own lock is inside of all these, as the completion of a move takes it.

mod bind;
mod data;
mod handle;
mod invalidate;
mod mapping;
mod op;
mod reaper;
mod rebind;
pub(crate) mod trace;

pub(crate) use self::{
    data::{
        Vm,
        VA_RANGE, //
    },
    handle::VmHandle,
    invalidate::Mappings,
    op::{
        BindOp,
        Options, //
    },
    reaper::{
        Reaper,
        ReaperGuard,
        PATIENCE, //
    },
    rebind::{
        rebind,
        Binds, //
    }, //
};
