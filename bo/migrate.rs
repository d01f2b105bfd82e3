// SPDX-License-Identifier: GPL-2.0

//! Clearing and copying of BOs by the copy engines.
//!
//! A migration is one job or several of the same queue. The last one's fence stands for all of
//! them.

use kernel::{
    dma::DmaAddress,
    page::PAGE_SIZE,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            AtomicFlag,
            Relaxed, //
        },
        Arc, //
    },
    time::Jiffies, //
};

use super::window::{
    Window,
    Windows,
    WINDOW_PAGES, //
};
use crate::{
    fence::{
        Completion,
        CompletionCallback,
        Dependencies,
        Outcome,
        Reset, //
    },
    hw::{
        Commands,
        DeferredUnmaps,
        Gpu,
        PacketBuffer,
        MAX_PACKET_DWORDS, //
    },
    resource_mgr::{
        for_each_part,
        OnCard, //
    },
    rust::{
        dma_fence::Fence,
        gpu::buddy::Clearing, //
    },
    sched::Queue, //
};

/// Which way a copy goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// From the GPU's own memory to pages.
    ToPages,
    /// From pages to the GPU's own memory.
    FromPages,
}

/// A migration that is being submitted.
///
/// Dropping it before [`Self::finish`] waits for what was submitted: its memory is given to others.
pub(super) struct Migration<'a> {
    gpu: &'a Gpu,
    queue: &'a Queue,
    dependencies: Dependencies,
    /// It reads memory that does not survive a reset of the device.
    reads_card: bool,
    lost: Arc<AtomicFlag>,
    packets: PacketBuffer,
    clearing: Option<Clearing>,
    last: Option<ARef<Fence>>,
}

/// The completion callback of a migration's job.
struct MigrationCallback {
    lost: Arc<AtomicFlag>,
    /// Set for the last job of a clear: told when all of them are done.
    clearing: Option<Clearing>,
    unmaps: Option<DeferredUnmaps>,
    reads_card: bool,
    retried: bool,
}

impl CompletionCallback for MigrationCallback {
    fn complete(&mut self, outcome: &Outcome) -> Result {
        if outcome.result.is_err() {
            self.lost.store(true, Relaxed);
        }
        if let Some(clearing) = &self.clearing {
            if !self.lost.load(Relaxed) {
                clearing.done();
            }
        }
        if let Some(unmaps) = &mut self.unmaps {
            unmaps.run();
        }
        outcome.result
    }

    fn is_cancelled_by(&self, reset: Reset) -> bool {
        // Unless it reads VRAM, the job can run again from its start.
        matches!(reset, Reset::Device { .. }) && self.reads_card
    }

    fn retry(&mut self) -> bool {
        // There is nothing wrong with the job itself.
        !core::mem::replace(&mut self.retried, true)
    }
}

impl<'a> Migration<'a> {
    /// Dwords of the longest packet that is put in here.
    const LONGEST: usize = 8;

    /// Begins a migration that starts after `dependencies`. When it fails, `lost` is set before
    /// its fence signals.
    pub(super) fn new(
        gpu: &'a Gpu,
        queue: &'a Queue,
        dependencies: Dependencies,
        lost: &Arc<AtomicFlag>,
    ) -> Self {
        Self {
            gpu,
            queue,
            dependencies,
            reads_card: false,
            lost: lost.clone(),
            packets: PacketBuffer::new(),
            clearing: None,
            last: None,
        }
    }

    /// Fills with zeros what is not known to be.
    pub(super) fn clear(&mut self, card: OnCard<'_>) -> Result {
        for extent in card.dirty_extents() {
            let va = card.va(self.gpu, extent.offset);
            self.push(|packets| packets.fill(va, extent.size, 0))?;
        }
        self.clearing = card.clearing();
        Ok(())
    }

    /// Copies all of a BO from one place in the GPU's own memory to another.
    pub(super) fn copy_on_card(&mut self, from: OnCard<'_>, to: OnCard<'_>) -> Result {
        let mut start = 0;

        self.reads_card = true;
        for extent in to.extents() {
            let end = start + extent.size;
            for_each_part(from.extents(), start..end, |at, offset, size| {
                let source = from.va(self.gpu, offset);
                let target = to.va(self.gpu, extent.offset + (at - start));
                self.push(|packets| packets.copy(source, target, size))
            })?;
            start = end;
        }
        Ok(())
    }

    /// Copies all of a BO between the GPU's own memory and its pages.
    pub(super) fn copy(
        &mut self,
        windows: &Windows,
        card: OnCard<'_>,
        pages: &[DmaAddress],
        direction: Direction,
    ) -> Result {
        let mut start = 0;

        self.reads_card = direction == Direction::ToPages;
        for chunk in pages.chunks(WINDOW_PAGES) {
            let mut window = windows.take()?;
            let end = start + (chunk.len() * PAGE_SIZE) as u64;
            let base = window.show(self.gpu, chunk, &mut self.packets)?;

            let done = for_each_part(card.extents(), start..end, |at, offset, size| {
                let own = card.va(self.gpu, offset);
                let pages = base + (at - start);
                self.push(|packets| match direction {
                    Direction::ToPages => packets.copy(own, pages, size),
                    Direction::FromPages => packets.copy(pages, own, size),
                })
            })
            .and_then(|()| self.submit(None));
            self.note(&mut window);
            done?;
            start = end;
        }
        Ok(())
    }

    /// Keeps a window from others until the jobs are done that were submitted so far.
    fn note(&self, window: &mut Window<'_>) {
        if let Some(last) = &self.last {
            window.used_by(last);
        }
    }

    fn push(&mut self, f: impl FnOnce(&mut PacketBuffer) -> Result) -> Result {
        if self.packets.dwords() + Self::LONGEST > MAX_PACKET_DWORDS {
            self.submit(None)?;
        }
        f(&mut self.packets)
    }

    fn submit(&mut self, unmaps: Option<DeferredUnmaps>) -> Result {
        if self.packets.is_empty() && unmaps.is_none() {
            return Ok(());
        }
        let packets = core::mem::replace(&mut self.packets, PacketBuffer::new());
        let completion = Completion::new(MigrationCallback {
            lost: self.lost.clone(),
            clearing: self.clearing.take(),
            unmaps,
            reads_card: self.reads_card,
            retried: false,
        })?;
        self.last = Some(self.queue.submit_kernel(
            Commands::packets(packets)?,
            &self.dependencies,
            completion,
        )?);
        // What follows comes after this.
        self.dependencies = Dependencies::new();
        Ok(())
    }

    /// Submits the rest. When all is done, `unmaps` goes from the page tables before the fence
    /// signals. [`None`] if there was nothing to do.
    pub(super) fn finish(mut self, unmaps: Option<DeferredUnmaps>) -> Result<Option<ARef<Fence>>> {
        self.submit(unmaps.filter(|unmaps| !unmaps.is_empty()))?;
        Ok(self.last.take())
    }
}

impl Drop for Migration<'_> {
    fn drop(&mut self) {
        if let Some(last) = self.last.take() {
            // The scheduler ends the job if the engine does not.
            let _ = last.wait(false, Jiffies::MAX);
        }
    }
}
