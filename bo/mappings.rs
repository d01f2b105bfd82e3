// SPDX-License-Identifier: GPL-2.0

//! The GPU's mappings of BOs, as code sees them that moves BOs.

use kernel::prelude::*;

use super::object::{
    Bo,
    Reserved, //
};
use crate::hw::{
    DeferredUnmaps,
    Gpu, //
};

/// The VMs' mappings of a device's BOs.
///
/// VMs are made of BOs, so that their layer is above this one and hands this down with the device.
pub(crate) trait GpuMappings: Send + Sync {
    /// Invalidates all mappings of a BO that no job uses, because it is about to move.
    ///
    /// When this returns, no access of the GPU reaches the BO through a VM any more. The next job
    /// that has the BO in its list, or whose VM the BO is private to, maps it where it is then.
    ///
    /// Called in reclaim: this takes the locks of the BO's mappings, of the VMs' address spaces and
    /// of the MMU, and allocates nothing with one of them held.
    fn invalidate(&self, bo: &Bo);

    /// Collects the page-table entries that have to go before the memory that backs a BO now is
    /// given to others.
    ///
    /// For a BO that jobs still use, and whose fences later users wait for.
    /// [`Self::mark_invalidated()`] has to follow once they are sure to go.
    fn defer_invalidation(&self, bo: &Reserved<'_>, gpu: &Gpu) -> Result<DeferredUnmaps>;

    /// Marks a BO's mappings as invalidated: the next job that uses it writes their entries anew.
    fn mark_invalidated(&self, bo: &Reserved<'_>);

    /// Marks the VMs of a BO for rebind, which becomes usable again.
    fn mark_for_rebind(&self, bo: &Bo);
}
