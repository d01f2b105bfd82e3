// SPDX-License-Identifier: GPL-2.0

//! Syncobjs that submissions wait for and signal.

use kernel::{
    prelude::*,
    sync::aref::ARef, //
};

use super::{
    flags,
    user_array,
    File, //
};
use crate::rust::{
    bindings::{
        drm_rgt_sync,
        DRM_RGT_SYNC_TIMELINE, //
    },
    dma_fence::Fence,
    drm::syncobj::{
        find_fence,
        OutSync, //
    }, //
};

/// Most syncobjs in one list.
const MAX_SYNCS: usize = 1024;

/// The fences that a submission waits for.
pub(super) fn waits(file: &File, address: u64, count: u32) -> Result<KVVec<ARef<Fence>>> {
    let mut fences = KVVec::new();
    for sync in &user_array::<drm_rgt_sync>(address, count, MAX_SYNCS)? {
        let fence = find_fence(file, sync.handle, point(sync)?)?;
        fences.push(fence, GFP_KERNEL)?;
    }
    Ok(fences)
}

/// Where the fence of a submission is put.
pub(super) fn signals(file: &File, address: u64, count: u32) -> Result<KVVec<OutSync>> {
    let mut outs = KVVec::new();
    for sync in &user_array::<drm_rgt_sync>(address, count, MAX_SYNCS)? {
        let out = OutSync::find(file, sync.handle, point(sync)?)?;
        outs.push(out, GFP_KERNEL)?;
    }
    Ok(outs)
}

/// The point of a timeline syncobj; 0 of a binary one.
fn point(sync: &drm_rgt_sync) -> Result<u64> {
    flags(sync.flags, DRM_RGT_SYNC_TIMELINE)?;
    let timeline = sync.flags & DRM_RGT_SYNC_TIMELINE != 0;
    // A timeline has no point 0, and a binary one no other.
    if timeline != (sync.point != 0) {
        return Err(EINVAL);
    }
    Ok(sync.point)
}
