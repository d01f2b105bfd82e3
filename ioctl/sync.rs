// SPDX-License-Identifier: GPL-2.0

//! Syncobjs that submissions wait for and signal.

use kernel::prelude::*;

use super::{
    call::Call,
    File, //
};
use crate::{
    fence::{
        Dependencies,
        OutSyncs, //
    },
    rust::bindings::{
        drm_rgt_sync,
        DRM_RGT_SYNC_TIMELINE, //
    }, //
};

/// Maximum number of syncobjs in one list.
const MAX_SYNCS: usize = 1024;

/// The fields that lists are in.
const IN_SYNCS: &str = "in_syncs";
const OUT_SYNCS: &str = "out_syncs";

/// Decodes the syncobjs that a submission waits for.
pub(super) fn in_syncs(
    call: Call<'_>,
    file: &File,
    address: u64,
    count: u32,
) -> Result<Dependencies> {
    let mut dependencies = Dependencies::new();
    let syncs = call.user_array::<drm_rgt_sync>(IN_SYNCS, address, count, MAX_SYNCS)?;
    for (index, sync) in syncs.iter().enumerate() {
        let call = call.entry(IN_SYNCS, index);
        let (handle, point) = (sync.handle, point(call, sync)?);
        call.explain(
            dependencies.add_syncobj(file, handle, point),
            EINVAL,
            fmt!("handle {handle}: there is no fence yet at point {point}"),
        )?;
    }
    Ok(dependencies)
}

/// Decodes the syncobjs that take the fence of a submission.
pub(super) fn out_syncs(call: Call<'_>, file: &File, address: u64, count: u32) -> Result<OutSyncs> {
    let mut outs = OutSyncs::new();
    let syncs = call.user_array::<drm_rgt_sync>(OUT_SYNCS, address, count, MAX_SYNCS)?;
    for (index, sync) in syncs.iter().enumerate() {
        let point = point(call.entry(OUT_SYNCS, index), sync)?;
        outs.add(file, sync.handle, point)?;
    }
    Ok(outs)
}

/// Returns the point of a timeline syncobj, or 0 for a binary one.
fn point(call: Call<'_>, sync: &drm_rgt_sync) -> Result<u64> {
    call.flags(sync.flags, DRM_RGT_SYNC_TIMELINE)?;
    let timeline = sync.flags & DRM_RGT_SYNC_TIMELINE != 0;
    // A timeline has no point 0, and a binary one no other.
    if timeline != (sync.point != 0) {
        let why = fmt!(
            "point {}: 0 is for a binary syncobj, and only that",
            sync.point
        );
        return Err(call.refuse(EINVAL, why));
    }
    Ok(sync.point)
}
