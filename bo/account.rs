// SPDX-License-Identifier: GPL-2.0

//! Accounting of moves.

use kernel::prelude::*;

use super::{
    moves,
    object::BoData,
    stats::MoveReason,
    trace, //
};
use crate::rust::drm::ttm::{
    MemType,
    Move,
    MoveOutcome,
    PlaceFlags,
    Resource, //
};

/// Executes a move, and counts and traces it by its reason.
pub(super) fn account_move<'a>(mv: Move<'a, BoData>) -> Result<MoveOutcome<'a>> {
    let bo = mv.bo().bo();
    let reason = reason(&mv);
    let from = mv.bo().resource().map(Resource::mem_type);
    let to = mv.new_resource().mem_type();
    let bytes = bytes(&mv);

    let outcome = moves::execute(mv)?;
    if let MoveOutcome::Done(done) = &outcome {
        trace::moved(bo, from, to, reason, bytes, done);
        bo.record.moved(reason, from, to);
        bo.device().moves.moved(reason, bytes);
    }
    Ok(outcome)
}

/// Returns the reason of a move.
fn reason(mv: &Move<'_, BoData>) -> MoveReason {
    let from = mv.bo().resource().map(Resource::mem_type);
    let to = mv.new_resource();
    let record = &mv.bo().record;

    match record.cause() {
        _ if to.flags().contains(PlaceFlags::TEMPORARY) => MoveReason::Hop,
        Some(reason @ (MoveReason::KernelBo | MoveReason::Shrink | MoveReason::Purge)) => reason,
        _ if !mv.bo().advice.is_usable() => MoveReason::Purge,
        _ if from.is_none() => MoveReason::First,
        _ if mv.is_eviction() => MoveReason::Evict,
        _ if to.mem_type() == MemType::VRAM
            && from != Some(MemType::VRAM)
            && record.was_evicted() =>
        {
            MoveReason::BackToVram
        }
        cause => cause.unwrap_or(MoveReason::Validate),
    }
}

/// Returns how many bytes a move copies or clears: none where the pages stay, TTM allocates them, or
/// the content is not needed.
fn bytes(mv: &Move<'_, BoData>) -> u64 {
    let pages = mv.bo().resource().is_none_or(Resource::uses_tt);

    if (pages || !mv.bo().advice.is_usable()) && mv.new_resource().uses_tt() {
        0
    } else {
        mv.bo().size() as u64
    }
}
