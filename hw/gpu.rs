// SPDX-License-Identifier: GPL-2.0

//! A GPU: its units put together.

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

use super::{
    abi,
    bad_page::BadPages,
    engine::{
        Engine,
        Shared,
        VramGeneration, //
    },
    info::Info,
    irq::Interrupts,
    mmu::{
        DeferredGart,
        Invalidation,
        Mmu,
        Space,
        TableMemoryUsage,
        TableWindow, //
    },
    regs::Regs,
    reset::Resetter,
    reset_request::ResetRequest, //
};
use crate::rust::{
    devres::BoundDevice,
    module::DropGuarantee, //
};

/// A GPU.
///
/// Dropping it stops the device: the fences of jobs in flight signal with an error, and the device
/// has no address of memory any more.
pub(crate) struct Gpu {
    regs: Regs,
    info: Info,
    mmu: Arc<Mmu>,
    shared: Arc<Shared>,
    engines: KVec<Arc<Engine>>,
    reset_request: Arc<ResetRequest>,
    resetter: Arc<Resetter>,
    bad_pages: Arc<BadPages>,
}

impl Gpu {
    /// Resets the device and starts it, without interrupts.
    ///
    /// The caller has enabled the device's memory and bus mastering and set the DMA mask.
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
        let reset_request = ResetRequest::new()?;
        let mmu = Mmu::new(dev, regs.clone(), bound.clone(), &info, &reset_request)?;
        let shared = Shared::new(dev, regs.clone(), &reset_request)?;
        let mut engines = KVec::with_capacity(info.engines as usize, GFP_KERNEL)?;
        for index in 0..info.engines {
            engines.push(Engine::new(index, &shared, &bound, &mmu)?, GFP_KERNEL)?;
        }

        let resetter = Resetter::new(&mmu, &shared, &engines)?;
        let bad_pages = BadPages::new(dev, &regs, &mmu, &info)?;
        let this = Self {
            regs,
            info,
            mmu,
            shared,
            engines,
            reset_request,
            resetter,
            bad_pages,
        };
        this.reset_request
            .set_handler(Some(this.resetter.request_handler()?));
        this.mmu.start();
        for engine in &this.engines {
            engine.start();
        }
        Ok(this)
    }

    /// Registers the handlers of the interrupts and enables them.
    pub(crate) fn interrupts<'a>(
        &self,
        guarantee: DropGuarantee,
        pdev: &'a pci::Device<Bound>,
    ) -> Result<Interrupts<'a>> {
        Interrupts::new(
            guarantee,
            pdev,
            &self.shared,
            &self.engines,
            &self.bad_pages,
        )
    }

    /// Returns the properties of the device.
    pub(crate) fn info(&self) -> &Info {
        &self.info
    }

    /// Returns the number of resets since power on.
    pub(crate) fn reset_count(&self) -> u32 {
        self.shared.resets()
    }

    /// Recovers the device if it was reset from outside the driver, which may not be detected yet:
    /// the number of resets and the generation of VRAM's content are right after this.
    pub(crate) fn recover_lost_state(&self) {
        self.resetter.recover_lost_state();
    }

    /// Returns the GPU's clock, in ticks. `EOPNOTSUPP` if there is none, `ENODEV` if the GPU is gone.
    pub(crate) fn timestamp(&self) -> Result<u64> {
        let read = |register| u64::from(self.regs.read(register));
        if self.info.timestamp_hz == 0 {
            return Err(EOPNOTSUPP);
        }
        let mut high = read(abi::regs::TIMESTAMP_HI);
        loop {
            let low = read(abi::regs::TIMESTAMP_LO);
            let carried = read(abi::regs::TIMESTAMP_HI);
            if carried == high {
                return if self.regs.is_present() {
                    Ok(high << 32 | low)
                } else {
                    Err(ENODEV)
                };
            }
            high = carried;
        }
    }

    /// Returns all engines.
    pub(crate) fn engines(&self) -> &[Arc<Engine>] {
        &self.engines
    }

    /// Returns the recovery of the device and its engines.
    pub(crate) fn resetter(&self) -> &Arc<Resetter> {
        &self.resetter
    }

    /// Returns the reports of pages of VRAM that went bad.
    pub(crate) fn bad_pages(&self) -> &Arc<BadPages> {
        &self.bad_pages
    }

    /// Returns the counter of losses of VRAM's content.
    pub(crate) fn vram_generation(&self) -> &VramGeneration {
        &self.shared.vram
    }

    /// Allocates an address space, an empty one. There may be any number of them.
    pub(crate) fn new_space(&self) -> Result<Arc<Space>> {
        Space::new(&self.mmu)
    }

    /// Puts page tables of clients into the start of VRAM, [`Info::table_memory`] bytes that `window`
    /// shows, as far as there is room. To be called once.
    pub(crate) fn set_table_memory(&self, window: KBox<dyn TableWindow>) -> Result {
        self.mmu.set_table_memory(window, self.info.table_memory)
    }

    /// Returns the use of the VRAM for page tables.
    pub(crate) fn table_memory_usage(&self) -> TableMemoryUsage {
        self.mmu.table_memory_usage()
    }

    /// Waits for an invalidation, and for all that were queued before it.
    pub(crate) fn wait_invalidated(&self, invalidation: Invalidation) {
        self.mmu.wait(invalidation);
    }

    /// Waits for the updates of address spaces that are under way.
    ///
    /// Memory that was taken out of page tables is not in use any more when this returns, also what
    /// an update had removed before.
    pub(crate) fn wait_updates(&self) {
        self.mmu.wait_updates();
    }

    /// Returns the address of an offset in VRAM, in the kernel's address space.
    pub(crate) fn vram_va(&self, offset: u64) -> u64 {
        self.mmu.vram_va(offset)
    }

    /// Returns the address of an offset in the scratchpad, in the kernel's address space.
    pub(crate) fn scratchpad_va(&self, offset: u64) -> u64 {
        self.mmu.scratchpad_va(offset)
    }

    /// Returns the address of an offset in the GART, in the kernel's address space.
    pub(crate) fn gart_va(&self, offset: u64) -> u64 {
        self.mmu.gart_va(offset)
    }

    /// Prepares a mapping of pages of the GART to `addresses`, one per page, allocating all that it
    /// takes.
    ///
    /// The TLB may still have old translations when it is written: the job that uses the pages has
    /// to begin with [`PacketBuffer::invalidate`](super::PacketBuffer::invalidate).
    ///
    /// # Errors
    ///
    /// [`EINVAL`] if there are not as many addresses as pages, or if the pages are not in the GART.
    pub(crate) fn gart_mapping(
        &self,
        pages: Range<u64>,
        addresses: &[DmaAddress],
    ) -> Result<DeferredGart> {
        self.mmu.gart_mapping(pages, addresses)
    }
}

impl Drop for Gpu {
    fn drop(&mut self) {
        self.reset_request.set_handler(None);
        self.resetter.stop();
        for engine in &self.engines {
            engine.stop();
        }
        self.regs.reset();
        // Unmapping and freeing of address spaces has no effect after this.
        self.mmu.stop();
    }
}
