// SPDX-License-Identifier: GPL-2.0

//! The memory of a BO as binds see it.

use core::ops::Range;

use kernel::{
    prelude::*,
    sync::{
        atomic::{
            AtomicFlag,
            Relaxed, //
        },
        Arc, //
    }, //
};

use super::data::Vm;
use crate::{
    bo::{
        cursor,
        is_displaced,
        Reserved, //
    },
    fence::Dependencies,
    hw::Backing,
    resource_mgr::Segment,
    rust::dma_resv::Usage, //
};

/// Where a part of a BO is, and stays until a bind has run: the bind's fence is on the BO's
/// reservation.
pub(super) struct BoBacking {
    segments: KVVec<Segment>,
    /// Set, once the fences that the bind waits for have signalled, if the content was lost.
    pub(super) lost: Arc<AtomicFlag>,
    /// Set if the BO was moving.
    pub(super) is_moving: bool,
    /// Set if the BO is private, and should be elsewhere.
    pub(super) is_displaced: bool,
}

impl BoBacking {
    /// Returns the backing of some bytes of a BO, and adds the fences of its moves to `moves`.
    ///
    /// `EINVAL` where the GPU does not see the BO.
    pub(super) fn new(
        vm: &Vm,
        bo: &mut Reserved<'_>,
        bytes: Range<u64>,
        moves: &mut Dependencies,
    ) -> Result<Self> {
        let mut segments = KVVec::new();

        for segment in cursor(bo, bytes)? {
            if !matches!(segment.backing, Backing::System(_)) {
                vm.note_vram();
            }
            segments.push(segment, GFP_KERNEL_ACCOUNT)?;
        }
        let resv = bo.locked_resv();
        let is_moving = !resv.test_signaled(Usage::Kernel);
        if is_moving {
            moves.add_resv(&resv, Usage::Kernel)?;
        }
        Ok(Self {
            segments,
            lost: bo.bo().lost.clone(),
            is_moving,
            is_displaced: bo.private.is_some() && is_displaced(bo),
        })
    }

    /// Returns whether the content was lost.
    pub(super) fn is_lost(&self) -> bool {
        self.lost.load(Relaxed)
    }

    /// Returns the memory of the bytes from `offset` on at the addresses `va`, segment by segment.
    pub(super) fn segments(
        &self,
        va: Range<u64>,
        offset: u64,
    ) -> impl Iterator<Item = (Range<u64>, Backing)> + '_ {
        let end = offset + (va.end - va.start);
        let first = self
            .segments
            .partition_point(|segment| segment.at + segment.size <= offset);

        self.segments[first..]
            .iter()
            .take_while(move |segment| segment.at < end)
            .map(move |segment| {
                let (from, to) = (segment.at.max(offset), (segment.at + segment.size).min(end));
                let at = va.start + (from - offset);
                (
                    at..at + (to - from),
                    segment.backing.plus(from - segment.at),
                )
            })
    }
}
