// SPDX-License-Identifier: GPL-2.0

//! The GPU as the CPU sees it.
//!
//! This knows nothing of DRM. What it has on offer is in [`Gpu`]: address spaces, the GART and
//! engines that do jobs and signal fences.

// A crate of its own to all others: they need all of it, and its attributes are a crate's.
#[allow(dead_code, unreachable_pub, unused_attributes)]
#[path = "abi/src/lib.rs"]
pub(crate) mod abi;
mod bad_page;
mod engine;
mod fault;
mod info;
mod irq;
mod mmu;
mod regs;
mod reset;

use core::ops::Range;

use kernel::{
    device::{
        Bound,
        Device, //
    },
    dma::DmaAddress,
    pci,
    prelude::*,
    sync::Arc, //
};

use self::{
    engine::Shared,
    mmu::Mmu,
    regs::Regs, //
};
use crate::rust::devres::BoundDevice;

pub(crate) use self::{
    bad_page::{
        BadPageWatch,
        BadPages,
        OnBadPage, //
    },
    engine::{
        Body,
        EndHook,
        Engine,
        Ib,
        OnEnd,
        Outcome,
        PacketBuffer,
        Reset,
        VramGeneration,
        CREDITS,
        MAX_IBS,
        MAX_PACKET_DWORDS, //
    },
    fault::Fault,
    info::Info,
    irq::Interrupts,
    mmu::{
        Backing,
        DeferredMaps,
        DeferredUnmaps,
        Invalidation,
        SpaceId, //
    },
    reset::Resetter, //
};

/// A GPU.
///
/// Dropping it stops the device: fences of jobs that are not done signal with an error, and the
/// device has no address of memory any more.
pub(crate) struct Gpu {
    regs: Regs,
    info: Info,
    mmu: Arc<Mmu>,
    shared: Arc<Shared>,
    engines: KVec<Arc<Engine>>,
    resetter: Arc<Resetter>,
    bad_pages: Arc<BadPages>,
}

impl Gpu {
    /// Resets the device and gets it going, without interrupts.
    ///
    /// Its memory and bus mastering are enabled, and the DMA mask is set.
    ///
    /// # Errors
    ///
    /// [`ENODEV`], with a message, if this is not a device that the driver knows.
    pub(crate) fn new(pdev: &pci::Device<Bound>) -> Result<Self> {
        let dev: &Device<Bound> = pdev.as_ref();
        let regs = Regs::new(pdev)?;
        let info = Info::read(pdev, &regs)?;
        regs.reset();

        let bound = BoundDevice::new(dev)?;
        let mmu = Mmu::new(dev, regs.clone(), bound.clone(), &info)?;
        let shared = Shared::new(dev, regs.clone())?;
        let mut engines = KVec::with_capacity(info.engines as usize, GFP_KERNEL)?;
        for index in 0..info.engines {
            engines.push(Engine::new(index, &shared, &bound, &mmu)?, GFP_KERNEL)?;
        }

        let resetter = Resetter::new(&mmu, &shared, &engines)?;
        let bad_pages = BadPages::new(&regs, &info)?;
        let this = Self {
            regs,
            info,
            mmu,
            shared,
            engines,
            resetter,
            bad_pages,
        };
        this.mmu.set_resetter(Some(this.resetter.clone()));
        this.mmu.start();
        for engine in &this.engines {
            engine.start();
        }
        Ok(this)
    }

    /// Registers the handlers of the interrupts and enables them.
    pub(crate) fn interrupts<'a>(&self, pdev: &'a pci::Device<Bound>) -> Result<Interrupts<'a>> {
        Interrupts::new(pdev, &self.shared, &self.engines, &self.bad_pages)
    }

    /// What the device is and has.
    pub(crate) fn info(&self) -> &Info {
        &self.info
    }

    /// Number of resets since power on.
    pub(crate) fn reset_count(&self) -> u32 {
        self.regs.read(abi::regs::RESET_COUNT)
    }

    /// Engine number `n`.
    pub(crate) fn engine(&self, n: u32) -> Option<&Arc<Engine>> {
        self.engines.get(n as usize)
    }

    /// All engines.
    pub(crate) fn engines(&self) -> &[Arc<Engine>] {
        &self.engines
    }

    /// What resets the device and its engines.
    pub(crate) fn resetter(&self) -> &Arc<Resetter> {
        &self.resetter
    }

    /// Reports of pages of VRAM that went bad.
    pub(crate) fn bad_pages(&self) -> &Arc<BadPages> {
        &self.bad_pages
    }

    /// The number that changes when VRAM loses its content.
    pub(crate) fn vram_generation(&self) -> &VramGeneration {
        &self.shared.vram
    }

    /// Finds an address space and makes it an empty one.
    ///
    /// # Errors
    ///
    /// [`ENOSPC`] if all are in use.
    pub(crate) fn alloc_space(&self) -> Result<SpaceId> {
        self.mmu.alloc()
    }

    /// Frees an address space that no job uses any more.
    pub(crate) fn free_space(&self, id: SpaceId) {
        self.mmu.free(id);
    }

    /// Makes all page tables that it takes to map and unmap things in `va`.
    ///
    /// The tables stay until [`Self::space_release`] is called for all of the range, and for every
    /// other range that they were prepared for.
    pub(crate) fn space_prepare(&self, id: SpaceId, va: Range<u64>) -> Result {
        self.mmu.prepare(id, va)
    }

    /// Takes back [`Self::space_prepare`] for a range, or a part of one, that is unmapped. When
    /// this returns, no access is under way that uses what was there; [`Self::space_flush`] need
    /// not come before.
    pub(crate) fn space_release(&self, id: SpaceId, va: Range<u64>) {
        self.mmu.release(id, va);
    }

    /// Maps `size` bytes from `va` on, in a prepared range, to `backing` and what follows it.
    ///
    /// Where something is mapped already, [`Self::space_flush`] has to follow.
    ///
    /// # Errors
    ///
    /// [`EINVAL`] if anything is not a multiple of the page size or too large, or if the range is
    /// not prepared.
    pub(crate) fn space_map(
        &self,
        id: SpaceId,
        va: u64,
        size: u64,
        backing: Backing,
        writable: bool,
    ) -> Result {
        let end = va.checked_add(size).ok_or(EINVAL)?;
        self.mmu.map(id, va..end, backing, writable)
    }

    /// Unmaps what there is in `va`, a prepared range. [`Self::space_flush`], or
    /// [`Self::space_release`], has to follow.
    pub(crate) fn space_unmap(&self, id: SpaceId, va: Range<u64>) {
        self.mmu.unmap(id, va);
    }

    /// Has the device forget what it knows of the addresses in `va`. When this returns, no access
    /// is under way that still uses it.
    pub(crate) fn space_flush(&self, id: SpaceId, va: Range<u64>) {
        self.mmu.flush(id, va);
    }

    /// Asks the device to do what [`Self::space_flush`] does. [`None`] if there is nothing to do.
    pub(crate) fn space_invalidate(&self, id: SpaceId, va: Range<u64>) -> Option<Invalidation> {
        self.mmu.invalidate(id, va)
    }

    /// Waits until the device has done it, and all that it was asked for before.
    pub(crate) fn wait_invalidated(&self, invalidation: Invalidation) {
        self.mmu.wait(invalidation);
    }

    /// Makes room to note what is to be mapped later.
    pub(crate) fn deferred_maps(&self) -> DeferredMaps {
        DeferredMaps::new(&self.mmu)
    }

    /// Makes room to note what is to be unmapped later.
    pub(crate) fn deferred_unmaps(&self) -> DeferredUnmaps {
        DeferredUnmaps::new(&self.mmu)
    }

    /// Address of an offset in VRAM, in the kernel's address space.
    pub(crate) fn vram_va(&self, offset: u64) -> u64 {
        self.mmu.vram_va(offset)
    }

    /// Address of an offset in the scratchpad, in the kernel's address space.
    pub(crate) fn scratchpad_va(&self, offset: u64) -> u64 {
        self.mmu.scratchpad_va(offset)
    }

    /// Address of an offset in the GART, in the kernel's address space.
    pub(crate) fn gart_va(&self, offset: u64) -> u64 {
        self.mmu.gart_va(offset)
    }

    /// Maps pages of the GART, which no job uses, to `addresses`, one a page.
    ///
    /// The device may remember what they were mapped to: the job that uses them has to begin with
    /// [`PacketBuffer::invalidate`].
    ///
    /// # Errors
    ///
    /// [`EINVAL`] if there are too few addresses, or if the pages are not in the GART. Nothing is
    /// mapped then.
    pub(crate) fn gart_map(
        &self,
        pages: Range<u64>,
        addresses: impl Iterator<Item = DmaAddress>,
    ) -> Result {
        self.mmu.gart_map(pages, addresses)
    }
}

impl Drop for Gpu {
    fn drop(&mut self) {
        self.mmu.set_resetter(None);
        self.resetter.stop();
        for engine in &self.engines {
            engine.stop();
        }
        self.regs.reset();
        // What there is left to do with it has no effect.
        self.mmu.stop();
    }
}
