// SPDX-License-Identifier: GPL-2.0

//! Operations of VM_BIND.

use core::ops::Range;

use kernel::sync::aref::ARef;

use super::data::Access;
use crate::{
    bo::Bo,
    rust::drm::ttm::MemType, //
};

/// An operation of VM_BIND whose arguments are checked.
///
/// Addresses `va` are not empty, of whole pages, and in [`VA_RANGE`](super::VA_RANGE).
pub(crate) enum BindOp {
    /// Maps a part of a BO, which is large enough, and external or private to this VM, in place of
    /// what is mapped at the addresses.
    Map {
        bo: ARef<Bo>,
        /// Byte in the BO, a multiple of the page size.
        offset: u64,
        va: Range<u64>,
        access: Access,
    },
    /// Unmaps mappings in a range, the overlap of others, and holes.
    Unmap { va: Range<u64> },
    /// Unmaps a BO wherever it is mapped.
    UnmapAll { bo: ARef<Bo> },
    /// Maps a range that reads as zeros and discards writes.
    Null { va: Range<u64> },
    /// Moves the BOs that are mapped in a range to a region.
    Prefetch { va: Range<u64>, region: MemType },
    /// Maps memory of the calling process.
    Userptr {
        /// Address in the process, a multiple of the page size; with the range's size it does not
        /// overflow.
        address: u64,
        va: Range<u64>,
        access: Access,
    },
}

impl BindOp {
    /// Returns the BO that it names.
    pub(crate) fn bo(&self) -> Option<&Bo> {
        match self {
            Self::Map { bo, .. } | Self::UnmapAll { bo } => Some(bo),
            _ => None,
        }
    }
}
