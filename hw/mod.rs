// SPDX-License-Identifier: GPL-2.0

//! The GPU as the CPU sees it: registers, packets, rings, MMU, interrupts and resets.
//!
//! This layer knows nothing of DRM. It offers a [`Gpu`]: address spaces, the GART, and engines that
//! run jobs and signal their [fences](crate::fence).

// A crate of its own to all others: they need all of it, and its attributes are a crate's.
#[allow(dead_code, unreachable_pub, unused_attributes)]
#[path = "abi/src/lib.rs"]
pub(crate) mod abi;
mod bad_page;
mod engine;
mod event_work;
mod fault;
mod gpu;
mod info;
mod irq;
mod mmu;
mod recovery_events;
mod regs;
mod reset;
mod reset_request;

#[cfg(CONFIG_DRM_RUST_GPU_TTM_KUNIT_TEST)]
pub(crate) use self::mmu::{
    Choice,
    PageUnderTest,
    SlotTable,
    TableWindow,
    TablesUnderTest,
    SLOTS, //
};
pub(crate) use self::{
    bad_page::BadPageHandler,
    engine::{
        Commands,
        Engine,
        Ib,
        PacketBuffer,
        VramGeneration,
        CREDITS,
        MAX_IBS,
        MAX_PACKET_DWORDS, //
    },
    event_work::EventWatch,
    gpu::Gpu,
    info::Info,
    irq::Interrupts,
    mmu::{
        Backing,
        DeferredGart,
        Invalidation,
        Space,
        SpaceUpdate,
        Tables, //
    },
    recovery_events::{
        Recovery,
        RecoveryHandler, //
    },
    reset::Resetter, //
};
