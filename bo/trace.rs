// SPDX-License-Identifier: GPL-2.0

//! Trace events of BOs.

use kernel::prelude::*;

use super::{
    object::{
        Bo,
        BoData,
        Reserved, //
    },
    stats::MoveReason, //
};
use crate::{
    device::RgtDevice,
    placement::Accessor,
    resource_mgr::region_name,
    rust::{
        drm::ttm::{
            MemType,
            Moved,
            ReleasedBo,
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

/// A BO was created.
pub(super) fn created(bo: &Bo) {
    rgt_bo_create(|| {
        (
            bo.device(),
            bo.record.id(),
            bo.size() as u64,
            bo.request.mask(),
            bo.request.flags(),
            bo.vm_id(),
            bo.record.client(),
        )
    });
}

/// A BO was validated for an accessor, or was not.
pub(super) fn validated(bo: &Reserved<'_>, accessor: Accessor, done: Result) {
    rgt_bo_validate(|| {
        (
            bo.device(),
            bo.record.id(),
            match accessor {
                Accessor::Gpu => c"gpu",
                Accessor::Cpu => c"cpu",
                Accessor::Peer => c"peer",
                Accessor::NonPeer => c"other",
            },
            place(bo.resource().map(Resource::mem_type)),
            done.map_or_else(Error::to_errno, |()| 0),
        )
    });
}

/// A BO was moved; if there is a fence, the move ends when it signals.
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

/// The last reference to a BO is gone.
pub(super) fn freed(bo: &ReleasedBo<'_, BoData>) {
    bo.with_device(|dev| rgt_bo_free(|| (dev, bo.record.id(), bo.size() as u64)));
}
