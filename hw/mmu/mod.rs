// SPDX-License-Identifier: GPL-2.0

//! The MMU: address spaces, their page tables and the TLB.

mod backing;
mod entries;
mod gart;
mod hw_mmu;
mod layout;
mod node;
mod pool;
mod registry;
mod segments;
mod shared_table;
mod slot_guard;
mod slot_table;
mod slots;
mod space;
mod spare;
mod table;
mod table_memory;
mod tables;
mod tlb;
#[cfg(CONFIG_DRM_RUST_GPU_TTM_KUNIT_TEST)]
mod under_test;
mod update;

pub(crate) use self::{
    backing::Backing,
    gart::DeferredGart,
    space::Space,
    table_memory::{
        TableMemoryUsage,
        TableWindow, //
    },
    tables::Tables,
    tlb::Invalidation,
    update::SpaceUpdate, //
};
pub(super) use self::{
    hw_mmu::Mmu,
    layout::KERNEL_BASE,
    slot_guard::SlotGuard, //
};
#[cfg(CONFIG_DRM_RUST_GPU_TTM_KUNIT_TEST)]
pub(crate) use self::{
    slot_table::{
        Choice,
        SlotTable,
        SLOTS, //
    },
    under_test::{
        PageUnderTest,
        TablesUnderTest, //
    }, //
};
