// SPDX-License-Identifier: GPL-2.0

//! Memory of processes in a VM.
//!
//! A range is fetched when it is bound, and mapped by the bind's job. When its pages change it is
//! stale: the notifier waits for the jobs of the VM that were submitted before, and takes the range
//! out of the page tables. The next job fetches it, without any reservation, and then has it mapped by
//! a rebind. Just before it is submitted, with the lock held that the notifier takes first, nothing
//! may have changed since it has looked at the ranges, or it begins anew.
//!
//! `PREFETCH` does both before a job comes.
//!
//! Jobs of binds do not keep pages from changing. They map what is there when they run, and what is
//! not is stale, for the next job to see.

mod cleanup;
mod fetch;
mod mapping;
mod range;

pub(crate) use self::fetch::{
    fetch_stale,
    stable_pages,
    PagesSeen, //
};
pub(super) use self::{
    fetch::{
        prefetch,
        Unwritten, //
    },
    mapping::UserMapping,
    range::{
        UserRange,
        UserRanges, //
    }, //
};
