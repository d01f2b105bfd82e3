// SPDX-License-Identifier: GPL-2.0

//! Uses of BOs that are where they are best.

use kernel::prelude::*;

use super::{
    object::Reserved,
    trace,
    validate::{
        check_content,
        priority,
        COLD, //
    }, //
};
use crate::{
    placement::{
        Accessor,
        Class, //
    },
    rust::drm::ttm::{
        MemType,
        Resource, //
    }, //
};

/// Does what [`validate()`](super::validate()) does for the GPU with a BO that stays where it is, in a
/// fraction of the time. Returns `false`, and does nothing, if the BO may have to move.
///
/// The errors are those of [`validate()`](super::validate()).
pub(crate) fn use_in_place(bo: &mut Reserved<'_>) -> Result<bool> {
    check_content(bo)?;

    let here = bo.resource().map(Resource::mem_type);
    let stays = here.is_some()
        && here == bo.best
        && bo.pin_count() == 0
        && bo.has_memory()
        && !(bo.request.allows_gtt() && bo.is_shared_as_pages());
    if !stays {
        return Ok(false);
    }
    if here == Some(MemType::VRAM) {
        // It may have become hot.
        if bo.priority() == COLD {
            return Ok(false);
        }
        let bo = bo.bo();
        if let Some(policy) = bo.device().eviction_policy.scan_resistant() {
            policy.used(bo.history(), bo.size() as u64);
        }
    }
    trace::validated(bo, Accessor::Gpu, Ok(()));
    bo.touch_as(priority(bo.bo(), Class::Hot));
    Ok(true)
}
