// SPDX-License-Identifier: GPL-2.0

//! Trace events of BOs.

use kernel::prelude::*;

use super::{
    Bo,
    MoveReason,
    Reserved, //
};
use crate::{
    device::RgtDevice,
    placement::User,
    resource_mgr::region_name,
    rust::{
        drm::ttm::{
            MemType,
            Moved,
            Resource, //
        },
        trace::declare_trace, //
    }, //
};

declare_trace! {
    fn rgt_bo_create(
        dev: &'a RgtDevice, bo: u64, size: u64, placement: u32, flags: u32, vm: u32, client: u64,
    );
    fn rgt_bo_validate(
        dev: &'a RgtDevice, bo: u64, user: &'a CStr, place: &'a CStr, ret: i32,
    );
    fn rgt_bo_move(
        dev: &'a RgtDevice, bo: u64, from: &'a CStr, to: &'a CStr, reason: &'a CStr, bytes: u64,
        context: u64, seqno: u64,
    );
    fn rgt_bo_evict(dev: &'a RgtDevice, bo: u64, from: &'a CStr, size: u64);
    fn rgt_bo_free(dev: &'a RgtDevice, bo: u64, size: u64);
}

/// Returns the name of where a BO is.
fn place(mem_type: Option<MemType>) -> &'static CStr {
    mem_type.map_or(c"none", region_name)
}

/// A BO was made.
pub(super) fn created(bo: &Bo) {
    rgt_bo_create(|| {
        (
            bo.device(),
            bo.record.id(),
            bo.size() as u64,
            bo.request.mask(),
            bo.request.flags(),
            bo.private.unwrap_or(0),
            bo.record.client(),
        )
    });
}

/// A BO was brought to where its user can reach it, or was not.
pub(super) fn validated(bo: &Reserved<'_>, user: User, done: Result) {
    rgt_bo_validate(|| {
        (
            bo.device(),
            bo.record.id(),
            match user {
                User::Gpu => c"gpu",
                User::Cpu => c"cpu",
                User::Peer => c"peer",
                User::Other => c"other",
            },
            place(bo.resource().map(Resource::mem_type)),
            done.map_or_else(Error::to_errno, |()| 0),
        )
    });
}

/// A BO was moved, which takes until its fence signals if there is one.
pub(super) fn moved(
    bo: &Bo,
    from: Option<MemType>,
    to: MemType,
    reason: MoveReason,
    bytes: u64,
    done: &Moved<'_>,
) {
    rgt_bo_move(|| {
        let (context, seqno) = done.fence().unwrap_or((0, 0));
        (
            bo.device(),
            bo.record.id(),
            place(from),
            place(Some(to)),
            reason.name(),
            bytes,
            context,
            seqno,
        )
    });
}

/// A BO is about to make room for others.
pub(super) fn evicted(bo: &Reserved<'_>) {
    rgt_bo_evict(|| {
        (
            bo.device(),
            bo.record.id(),
            place(bo.resource().map(Resource::mem_type)),
            bo.size() as u64,
        )
    });
}

/// Nobody refers to a BO any more.
pub(crate) fn freed(bo: &Bo) {
    rgt_bo_free(|| (bo.device(), bo.record.id(), bo.size() as u64));
}
