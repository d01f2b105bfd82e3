// SPDX-License-Identifier: GPL-2.0

//! Clearing and copying of BOs by the copy engine.

use crate::{
    hw::{
        Body,
        Engine,
        Gpu,
        PacketBuffer,
        MAX_PACKET_DWORDS, //
    },
    resource_mgr::{
        for_each_part,
        Extent, //
    },
    rust::dma_fence::Fence, //
};
use core::ops::Range;
use kernel::{
    dma::DmaAddress,
    page::PAGE_SIZE,
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    },
    time::Jiffies, //
};

const PAGE: u64 = PAGE_SIZE as u64;

/// Pages of system memory that one step of a copy makes visible to the kernel's address space.
const WINDOW_PAGES: usize = 4096;

/// The part of the GART that copies use; its owner locks it.
pub(crate) struct Window(());

/// Which way a copy goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// From VRAM to pages.
    ToPages,
    /// From pages to VRAM.
    ToVram,
}

/// Packets that are submitted when they are as many as one job takes.
struct Batch<'a> {
    engine: &'a Arc<Engine>,
    packets: PacketBuffer,
    last: Option<ARef<Fence>>,
}

impl<'a> Batch<'a> {
    /// Dwords of the longest packet that is put in here.
    const LONGEST: usize = 8;

    fn new(gpu: &'a Gpu) -> Self {
        Self {
            engine: gpu.copy_engine(),
            packets: PacketBuffer::new(),
            last: None,
        }
    }

    fn push(&mut self, f: impl FnOnce(&mut PacketBuffer) -> Result) -> Result {
        if self.packets.dwords() + Self::LONGEST > MAX_PACKET_DWORDS {
            self.submit()?;
        }
        f(&mut self.packets)
    }

    fn submit(&mut self) -> Result {
        let packets = core::mem::replace(&mut self.packets, PacketBuffer::new());
        let fence = self.engine.new_fence()?;
        // A later job of the engine ends after this one, but an error of this one must be seen.
        if let Some(last) = self.last.take() {
            wait(&last)?;
        }
        self.last = Some(
            self.engine
                .submit(&[], Body::Packets(&packets), fence, false)?,
        );
        Ok(())
    }

    /// Submits the rest and waits for all of it.
    fn finish(mut self) -> Result {
        if !self.packets.is_empty() {
            self.submit()?;
        }
        self.last.take().map_or(Ok(()), |last| wait(&last))
    }
}

impl Drop for Batch<'_> {
    /// What was submitted must not run on when its memory is given to others.
    fn drop(&mut self) {
        if let Some(last) = self.last.take() {
            let _ = wait(&last);
        }
    }
}

/// Fills VRAM with zeros. Done when it returns.
pub(super) fn clear(gpu: &Gpu, extents: &[Extent]) -> Result {
    let mut batch = Batch::new(gpu);

    for extent in extents {
        batch.push(|packets| packets.fill(gpu.vram_va(extent.offset), extent.size, 0))?;
    }
    batch.finish()
}

impl Window {
    /// Makes the one window of a device.
    pub(crate) fn new() -> Self {
        Self(())
    }

    /// Copies all of a BO between its VRAM and its pages. Done when it returns.
    pub(super) fn copy(
        &mut self,
        gpu: &Gpu,
        extents: &[Extent],
        pages: &[DmaAddress],
        direction: Direction,
    ) -> Result {
        for (step, chunk) in pages.chunks(WINDOW_PAGES).enumerate() {
            let start = (step * WINDOW_PAGES) as u64 * PAGE;
            let bytes = start..start + chunk.len() as u64 * PAGE;
            let window = 0..chunk.len() as u64;

            gpu.gart_map(window.clone(), chunk.iter().copied())?;
            let done = copy_step(gpu, extents, bytes, direction);
            gpu.gart_unmap(window);
            done?;
        }
        Ok(())
    }
}

/// Copies the bytes of a BO that the window shows.
fn copy_step(gpu: &Gpu, extents: &[Extent], bytes: Range<u64>, direction: Direction) -> Result {
    let mut batch = Batch::new(gpu);

    for_each_part(extents, bytes.clone(), |at, offset, size| {
        let vram = gpu.vram_va(offset);
        let pages = gpu.gart_va(at - bytes.start);
        batch.push(|packets| match direction {
            Direction::ToPages => packets.copy(vram, pages, size),
            Direction::ToVram => packets.copy(pages, vram, size),
        })
    })?;
    batch.finish()
}

/// Copies all of a BO from one place in VRAM to another. Done when it returns.
pub(super) fn copy_within_vram(gpu: &Gpu, from: &[Extent], to: &[Extent]) -> Result {
    let mut batch = Batch::new(gpu);
    let mut start = 0;

    for extent in to {
        let end = start + extent.size;
        for_each_part(from, start..end, |at, offset, size| {
            let target = gpu.vram_va(extent.offset + (at - start));
            batch.push(|packets| packets.copy(gpu.vram_va(offset), target, size))
        })?;
        start = end;
    }
    batch.finish()
}

/// Waits for a job of the kernel, which the watchdog ends if the engine does not.
fn wait(fence: &Fence) -> Result {
    fence.wait(false, Jiffies::MAX)?;
    match fence.status() {
        Some(Ok(())) => Ok(()),
        Some(Err(ENODEV)) => Err(ENODEV),
        _ => Err(EIO),
    }
}
