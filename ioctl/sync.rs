// SPDX-License-Identifier: GPL-2.0

//! Fences that submissions wait for and signal.

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
        drm_rgt_array,
        drm_rgt_sync,
        DRM_RGT_SYNC_SYNCOBJ,
        DRM_RGT_SYNC_TIMELINE,
        DRM_RGT_SYNC_USER_FENCE, //
    }, //
};

/// The most entries of one list.
pub(super) const MAX_SYNCS: usize = 1024;

/// A checked entry of a list.
enum Sync {
    /// A binary syncobj, or a timeline's point, which is not 0.
    Syncobj { handle: u32, point: u64 },
    /// A word of the process's memory, and what is written there.
    UserFence { address: u64, value: u64 },
}

impl Sync {
    fn new(call: Call<'_>, raw: &drm_rgt_sync) -> Result<Self> {
        call.flags(raw.flags, 0)?;
        call.reserved(&[("pad", raw.pad.into())])?;

        match raw.type_ {
            DRM_RGT_SYNC_SYNCOBJ => {
                call.reserved(&[("value", raw.value), ("address", raw.address)])?;
                Ok(Self::Syncobj {
                    handle: raw.handle,
                    point: 0,
                })
            }
            DRM_RGT_SYNC_TIMELINE => {
                call.reserved(&[("address", raw.address)])?;
                if raw.value == 0 {
                    return Err(call.refuse(EINVAL, fmt!("value 0: a timeline has no point 0")));
                }
                Ok(Self::Syncobj {
                    handle: raw.handle,
                    point: raw.value,
                })
            }
            DRM_RGT_SYNC_USER_FENCE => {
                call.reserved(&[("handle", raw.handle.into())])?;
                if raw.address % 8 != 0 {
                    let why = fmt!("address {:#x}: not a multiple of 8", raw.address);
                    return Err(call.refuse(EINVAL, why));
                }
                Ok(Self::UserFence {
                    address: raw.address,
                    value: raw.value,
                })
            }
            unknown => Err(call.refuse(EINVAL, fmt!("type {unknown}: unknown"))),
        }
    }
}

/// Decodes the fences that a submission waits for.
pub(super) fn in_syncs(call: Call<'_>, file: &File, array: &drm_rgt_array) -> Result<Dependencies> {
    let mut dependencies = Dependencies::new();
    if array.count == 0 {
        return Ok(dependencies);
    }
    for entry in call.array::<drm_rgt_sync>("in_syncs", array, MAX_SYNCS)? {
        let (call, raw) = entry?;
        let Sync::Syncobj { handle, point } = Sync::new(call, &raw)? else {
            let why = fmt!("type {}: a user fence is not waited for", raw.type_);
            return Err(call.refuse(EINVAL, why));
        };
        call.explain(
            dependencies.add_syncobj(file, handle, point),
            EINVAL,
            fmt!("handle {handle}: there is no fence yet at point {point}"),
        )?;
    }
    Ok(dependencies)
}

/// Decodes what takes the fence of a submission.
pub(super) fn out_syncs(call: Call<'_>, file: &File, array: &drm_rgt_array) -> Result<OutSyncs> {
    let mut outs = OutSyncs::new();
    if array.count == 0 {
        return Ok(outs);
    }
    for entry in call.array::<drm_rgt_sync>("out_syncs", array, MAX_SYNCS)? {
        let (call, raw) = entry?;
        match Sync::new(call, &raw)? {
            Sync::Syncobj { handle, point } => outs.add(file, handle, point)?,
            Sync::UserFence { address, value } => {
                let queue = &call.device().user_fences;
                outs.add_user_fence(queue, address, value)?;
            }
        }
    }
    Ok(outs)
}
