// SPDX-License-Identifier: GPL-2.0

//! Accounting of moves.

use kernel::prelude::*;

use super::{
    mv,
    stats::MoveReason,
    trace,
    BoData, //
};
use crate::rust::drm::ttm::{
    MemType,
    Move,
    MoveOutcome,
    PlaceFlags,
    Resource, //
};

/// Moves a BO, and counts that by its reason.
pub(crate) fn move_bo<'a>(move_: Move<'a, BoData>) -> Result<MoveOutcome<'a>> {
    let bo = move_.bo.bo();
    let reason = reason(&move_);
    let from = move_.bo.resource().map(Resource::mem_type);
    let to = move_.new_resource().mem_type();
    let bytes = bytes(&move_);

    let outcome = mv::move_bo(move_)?;
    if let MoveOutcome::Done(done) = &outcome {
        trace::moved(bo, from, to, reason, bytes, done);
        bo.record.moved(reason, from, to);
        bo.device().moves.moved(reason, bytes);
    }
    Ok(outcome)
}

/// Returns why TTM asks for a move.
fn reason(move_: &Move<'_, BoData>) -> MoveReason {
    let from = move_.bo.resource().map(Resource::mem_type);
    let to = move_.new_resource();
    let record = &move_.bo.record;

    match record.cause() {
        _ if to.flags().contains(PlaceFlags::TEMPORARY) => MoveReason::Hop,
        Some(reason @ (MoveReason::KernelBo | MoveReason::Shrink | MoveReason::Purge)) => reason,
        _ if !move_.bo.advice.is_usable() => MoveReason::Purge,
        _ if from.is_none() => MoveReason::First,
        _ if move_.evict => MoveReason::Evict,
        _ if to.mem_type() == MemType::VRAM
            && from != Some(MemType::VRAM)
            && record.was_evicted() =>
        {
            MoveReason::BackToVram
        }
        cause => cause.unwrap_or(MoveReason::Validate),
    }
}

/// Returns how many bytes a move copies or clears: none where the pages stay, or are made by TTM,
/// or nobody needs the content.
fn bytes(move_: &Move<'_, BoData>) -> u64 {
    let pages = move_.bo.resource().is_none_or(Resource::uses_tt);

    if (pages || !move_.bo.advice.is_usable()) && move_.new_resource().uses_tt() {
        0
    } else {
        move_.bo.size() as u64
    }
}
