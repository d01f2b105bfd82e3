// SPDX-License-Identifier: GPL-2.0

//! Syncobjs that submissions wait for and signal.

use kernel::prelude::*;

use super::{
    flags,
    user_array,
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

/// Decodes the syncobjs that a submission waits for.
pub(super) fn in_syncs(file: &File, address: u64, count: u32) -> Result<Dependencies> {
    let mut dependencies = Dependencies::new();
    for sync in &user_array::<drm_rgt_sync>(address, count, MAX_SYNCS)? {
        dependencies.add_syncobj(file, sync.handle, point(sync)?)?;
    }
    Ok(dependencies)
}

/// Decodes the syncobjs that take the fence of a submission.
pub(super) fn out_syncs(file: &File, address: u64, count: u32) -> Result<OutSyncs> {
    let mut outs = OutSyncs::new();
    for sync in &user_array::<drm_rgt_sync>(address, count, MAX_SYNCS)? {
        outs.add(file, sync.handle, point(sync)?)?;
    }
    Ok(outs)
}

/// Returns the point of a timeline syncobj, or 0 for a binary one.
fn point(sync: &drm_rgt_sync) -> Result<u64> {
    flags(sync.flags, DRM_RGT_SYNC_TIMELINE)?;
    let timeline = sync.flags & DRM_RGT_SYNC_TIMELINE != 0;
    // A timeline has no point 0, and a binary one no other.
    if timeline != (sync.point != 0) {
        return Err(EINVAL);
    }
    Ok(sync.point)
}
