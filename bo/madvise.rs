// SPDX-License-Identifier: GPL-2.0

//! GEM_MADVISE: retaining, discarding and purging content.

use kernel::prelude::*;

use super::{
    advice::Advice,
    mappings::invalidate_mappings,
    object::Reserved, //
};
use crate::rust::{
    dma_resv::Usage,
    drm::ttm::{
        OperationCtx,
        Priority, //
    }, //
};

/// Marks a BO's content as needed again. Returns whether the content was retained; if not, the BO is
/// like a new one.
pub(crate) fn will_need(bo: &mut Reserved<'_>, ctx: &mut OperationCtx) -> Result<bool> {
    let advice = bo.advice.get();
    match advice {
        Advice::WillNeed => return Ok(true),
        Advice::DontNeed => bo.set_purgeable(false),
        // A purged BO is in the system placement, from where it would take a multihop to VRAM.
        Advice::Purged if bo.resource().is_some() && bo.resv().test_signaled(Usage::Bookkeep) => {
            bo.purge(ctx)?;
        }
        Advice::Purged => {}
    }

    bo.advice.set(Advice::WillNeed);
    Ok(advice == Advice::DontNeed)
}

/// Marks a BO's content as not needed. Returns whether it is retained so far.
pub(crate) fn dont_need(bo: &mut Reserved<'_>, ctx: &mut OperationCtx) -> bool {
    match bo.advice.get() {
        Advice::WillNeed => {}
        Advice::DontNeed => return true,
        Advice::Purged => return false,
    }

    bo.advice.set(Advice::DontNeed);
    bo.unmap_cpu();
    bo.set_purgeable(true);
    bo.touch_as(Priority::LOWEST);
    // The shrinker does not find a BO that is backed up. The advice allows it to stay.
    !(bo.is_backed_up() && purge(bo, ctx).is_ok())
}

/// Frees the memory of a BO whose content is not needed, after waiting for its fences.
pub(super) fn purge(bo: &mut Reserved<'_>, ctx: &mut OperationCtx) -> Result {
    bo.wait_idle(ctx)?;
    invalidate_mappings(bo);
    bo.set_purgeable(false);
    bo.purge(ctx)
        .inspect(|()| bo.advice.set(Advice::Purged))
        .inspect_err(|_| bo.set_purgeable(true))
}
