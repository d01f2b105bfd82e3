// SPDX-License-Identifier: GPL-2.0

//! The least that can be moved when the future is known.

use kernel::prelude::*;

use super::trace::Trace;

/// Bytes moved when what is used last in the future is evicted, for BOs of the same size that have
/// to be in VRAM when they are used.
pub(super) fn moved(trace: &Trace, capacity: u64) -> Result<u64> {
    let size = trace.sizes()[0];
    let uses = trace.uses();
    let mut next = KVVec::from_elem(usize::MAX, uses.len(), GFP_KERNEL)?;
    let mut later = KVVec::from_elem(usize::MAX, trace.sizes().len(), GFP_KERNEL)?;
    for (at, &bo) in uses.iter().enumerate().rev() {
        next[at] = later[bo];
        later[bo] = at;
    }

    // The next use of each BO that is in VRAM.
    let mut resident = KVVec::from_elem(None, trace.sizes().len(), GFP_KERNEL)?;
    let mut seen = KVVec::from_elem(false, trace.sizes().len(), GFP_KERNEL)?;
    let (mut free, mut moves) = (capacity / size, 0);
    for (at, &bo) in uses.iter().enumerate() {
        if resident[bo].is_none() {
            if free == 0 {
                if let Some(victim) = resident.iter_mut().max_by_key(|next| **next) {
                    *victim = None;
                }
                moves += 1;
            } else {
                free -= 1;
            }
            if seen[bo] {
                moves += 1;
            }
            seen[bo] = true;
        }
        resident[bo] = Some(next[at]);
    }
    Ok(moves * size)
}
