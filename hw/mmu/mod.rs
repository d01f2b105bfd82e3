// SPDX-License-Identifier: GPL-2.0

//! The MMU: address spaces, their page tables and the TLB.

mod backing;
mod deferred;
mod gart;
mod hw_mmu;
mod layout;
mod node;
mod registry;
mod shared_table;
mod slot_guard;
mod slot_table;
mod slots;
mod space;
mod table;
mod tlb;

pub(crate) use self::{
    backing::Backing,
    deferred::{
        DeferredMaps,
        DeferredUnmaps, //
    },
    slot_table::{
        Choice,
        SlotTable,
        SLOTS, //
    },
    space::Space,
    tlb::Invalidation, //
};
pub(super) use self::{
    hw_mmu::Mmu,
    layout::KERNEL_BASE,
    slot_guard::SlotGuard,
    tlb::HangHandler, //
};
