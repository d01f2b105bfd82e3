// SPDX-License-Identifier: GPL-2.0

//! The GPU's mappings of BOs, as code sees them that moves BOs.

use super::object::{
    Bo,
    Reserved, //
};

/// The VMs' mappings of a device's BOs.
///
/// VMs are made of BOs, so that their layer is above this one and hands this down with the device.
pub(crate) trait GpuMappings: Send + Sync {
    /// Marks a BO that moves, or loses its memory, as evicted: the next job of each VM that it is
    /// bound in has it validated, and mapped where it is then.
    fn evict(&self, bo: &Reserved<'_>);

    /// Takes a BO that no job uses out of the page tables of all VMs.
    ///
    /// When this returns, no access of the GPU reaches the BO through a VM any more.
    ///
    /// Called in reclaim, and where fences signal: this takes the locks of the BO's mappings, of the
    /// VMs' address spaces and of the MMU, and allocates nothing.
    fn unmap(&self, bo: &Bo);
}

/// Takes a BO that no job uses, and which is about to move or to lose its memory, out of the page
/// tables of all VMs.
pub(crate) fn invalidate_mappings(bo: &Reserved<'_>) {
    let mappings = bo.bo().device().gpu_mappings;

    mappings.evict(bo);
    mappings.unmap(bo.bo());
}
