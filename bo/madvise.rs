// SPDX-License-Identifier: GPL-2.0

//! Content that nobody needs.

use kernel::{
    prelude::*,
    sync::atomic::{
        Acquire,
        Atomic,
        Release, //
    }, //
};

use super::{
    BoData,
    Reserved, //
};
use crate::{
    rust::{
        dma_resv::Usage,
        drm::ttm::{
            Move,
            MoveOutcome,
            OperationCtx,
            Priority, //
        }, //
    },
    vm, //
};

/// What is known about a BO's content.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Advice {
    /// It is needed.
    WillNeed,
    /// It may be purged, and until somebody needs it again the BO cannot be used.
    DontNeed,
    /// It was purged, and nobody has asked yet.
    Purged,
}

/// The [`Advice`] of a BO, which changes with its reservation held.
pub(crate) struct AdviceCell(Atomic<u32>);

impl AdviceCell {
    /// Makes that of a new BO.
    pub(crate) fn new() -> Self {
        Self(Atomic::new(Advice::WillNeed as u32))
    }

    /// Returns the advice.
    pub(crate) fn get(&self) -> Advice {
        match self.0.load(Acquire) {
            advice if advice == Advice::WillNeed as u32 => Advice::WillNeed,
            advice if advice == Advice::DontNeed as u32 => Advice::DontNeed,
            _ => Advice::Purged,
        }
    }

    /// Whether the BO can be used.
    pub(crate) fn is_usable(&self) -> bool {
        self.get() == Advice::WillNeed
    }

    fn set(&self, advice: Advice) {
        self.0.store(advice as u32, Release);
    }
}

/// Says that a BO's content is needed again. Returns whether it is still there; if not, the BO is
/// like a new one from now on.
pub(crate) fn will_need(bo: &mut Reserved<'_>, ctx: &mut OperationCtx) -> Result<bool> {
    let advice = bo.advice.get();
    match advice {
        Advice::WillNeed => return Ok(true),
        Advice::DontNeed => bo.set_purgeable(false),
        // One that lost its VRAM is in a place without content, from where the way back is longer.
        Advice::Purged if bo.resource().is_some() && bo.resv().test_signaled(Usage::Bookkeep) => {
            bo.purge(ctx)?;
        }
        Advice::Purged => {}
    }

    bo.advice.set(Advice::WillNeed);
    vm::renew(bo);
    Ok(advice == Advice::DontNeed)
}

/// Says that a BO's content is not needed. Returns whether it is still there.
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
    // What is backed up no shrinker finds. If it stays, that is what the advice allows.
    !(bo.is_backed_up() && purge(bo, ctx).is_ok())
}

/// Takes the memory of a BO whose content nobody needs, after waiting for its users.
pub(super) fn purge(bo: &mut Reserved<'_>, ctx: &mut OperationCtx) -> Result {
    bo.wait_idle(ctx)?;
    vm::zap(bo);
    bo.set_purgeable(false);
    bo.purge(ctx)
        .inspect(|()| bo.advice.set(Advice::Purged))
        .inspect_err(|_| bo.set_purgeable(true))
}

/// Moves a BO whose content nobody needs without it.
pub(super) fn discard<'a>(mv: Move<'a, BoData>) -> Result<MoveOutcome<'a>> {
    let bo = mv.bo.bo();

    mv.bo.wait_idle(mv.ctx)?;
    vm::zap(bo);
    let moved = mv.discarded()?;
    bo.advice.set(Advice::Purged);
    Ok(MoveOutcome::Done(moved))
}
