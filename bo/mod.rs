// SPDX-License-Identifier: GPL-2.0

//! The driver's buffer objects: creating, validating, moving, evicting and purging them.
//!
//! TTM's callbacks are in `ttm.rs`. Page tables are of the VMs' layer, above this one: a move
//! invalidates them through [`GpuMappings`].

mod account;
mod advice;
mod bad_page;
mod clear;
mod create;
mod cursor;
mod described;
mod evict;
mod fault;
mod gpu_unmap;
mod in_place;
mod madvise;
mod mappings;
mod migrate;
mod moves;
mod object;
mod places;
mod private;
mod record;
mod room;
pub(crate) mod selftest;
mod shrink;
mod sleep;
mod stats;
pub(crate) mod trace;
mod ttm;
mod turns;
mod validate;

pub(crate) use self::{
    advice::{
        Advice,
        AdviceCell, //
    },
    bad_page::Retirement,
    create::create,
    cursor::cursor,
    described::DescribedBytes,
    in_place::use_in_place,
    madvise::{
        dont_need,
        will_need, //
    },
    mappings::{
        invalidate_mappings,
        GpuMappings, //
    },
    object::{
        Bo,
        BoData,
        Reserved, //
    },
    places::is_reachable,
    private::{
        Private,
        PrivateBos, //
    },
    record::BoRecord,
    room::{
        validate_all,
        Effort, //
    },
    shrink::Shrinker,
    sleep::{
        empty_local_memory,
        empty_unused_memory,
        evict_local_memory, //
    },
    stats::{
        MoveReason,
        MoveStats, //
    },
    turns::lock_with_room,
    validate::{
        is_displaced,
        prefetch,
        validate, //
    }, //
};
