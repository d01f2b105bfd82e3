// SPDX-License-Identifier: GPL-2.0

//! Clearing and copying of BOs by the copy engines.
//!
//! A migration is one job or several of the same queue. The last one's fence stands for all of
//! them.

use core::ops::Range;

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
        Gpu,
        PacketBuffer,
        MAX_PACKET_DWORDS, //
    },
    resource_mgr::{
        Cursor,
        LocalResource, //
    },
    rust::{
        dma_fence::Fence,
        gpu::buddy::Clearing, //
    },
    sched::{
        Queue,
        Window,
        WINDOW_PAGES, //
    }, //
};

/// The direction of a copy.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// From device-local memory to pages.
    ToPages,
    /// From pages to device-local memory.
    FromPages,
}

/// All bytes of a BO.
const ALL: Range<u64> = 0..u64::MAX;

/// A migration that is being submitted.
///
/// Dropping it before [`Self::finish`] waits for the jobs that were submitted: their memory is
/// given to others.
pub(super) struct Migration<'a> {
    gpu: &'a Gpu,
    queue: &'a Queue,
    dependencies: Dependencies,
    /// Set if it reads memory that does not survive a reset of the device.
    reads_local: bool,
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
    reads_local: bool,
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
        outcome.result
    }

    fn is_cancelled_by(&self, reset: Reset) -> bool {
        // Unless it reads VRAM, the job can run again from its start.
        matches!(reset, Reset::Device { .. }) && self.reads_local
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
            reads_local: false,
            lost: lost.clone(),
            packets: PacketBuffer::new(),
            clearing: None,
            last: None,
        }
    }

    /// Fills the memory that is not known to be zero with zeros.
    pub(super) fn clear(&mut self, local: &LocalResource) -> Result {
        for extent in local.dirty_extents() {
            let va = local.va(self.gpu, extent.offset);
            self.push(|packets| packets.fill(va, extent.size, 0))?;
        }
        self.clearing = local.clearing();
        Ok(())
    }

    /// Copies all of a BO from one place in device-local memory to another.
    pub(super) fn copy_local(&mut self, from: &LocalResource, to: &LocalResource) -> Result {
        self.reads_local = true;
        for target in Cursor::local(to, ALL) {
            let base = target.va(self.gpu)?;
            for source in Cursor::local(from, target.at..target.at + target.size) {
                let va = source.va(self.gpu)?;
                self.push(|packets| packets.copy(va, base + (source.at - target.at), source.size))?;
            }
        }
        Ok(())
    }

    /// Copies all of a BO between device-local memory and its pages.
    pub(super) fn copy(
        &mut self,
        local: &LocalResource,
        pages: &[DmaAddress],
        direction: Direction,
    ) -> Result {
        let mut start = 0;

        self.reads_local = direction == Direction::ToPages;
        for chunk in pages.chunks(WINDOW_PAGES) {
            let end = start + (chunk.len() * PAGE_SIZE) as u64;

            self.copy_chunk(local, start..end, chunk, direction)?;
            start = end;
        }
        Ok(())
    }

    /// Copies some bytes of a BO between device-local memory and their pages, at most those of a
    /// window.
    fn copy_chunk(
        &mut self,
        local: &LocalResource,
        bytes: Range<u64>,
        pages: &[DmaAddress],
        direction: Direction,
    ) -> Result {
        let mut segments = Cursor::local(local, bytes.clone()).peekable();
        while segments.peek().is_some() {
            // A window is one job's.
            let window = self.queue.window(self.gpu, pages)?;
            let base = window.begin(&mut self.packets)?;
            while self.has_room() {
                let Some(segment) = segments.next() else {
                    break;
                };
                let local = segment.va(self.gpu)?;
                let pages = base + (segment.at - bytes.start);
                match direction {
                    Direction::ToPages => self.packets.copy(local, pages, segment.size),
                    Direction::FromPages => self.packets.copy(pages, local, segment.size),
                }?;
            }
            self.submit(Some(window))?;
        }
        Ok(())
    }

    /// Returns whether a packet fits the job that is being made.
    fn has_room(&self) -> bool {
        self.packets.dwords() + Self::LONGEST <= MAX_PACKET_DWORDS
    }

    fn push(&mut self, f: impl FnOnce(&mut PacketBuffer) -> Result) -> Result {
        if !self.has_room() {
            self.submit(None)?;
        }
        f(&mut self.packets)
    }

    fn submit(&mut self, window: Option<Window>) -> Result {
        if self.packets.is_empty() {
            return Ok(());
        }
        let packets = core::mem::replace(&mut self.packets, PacketBuffer::new());
        let completion = Completion::new(MigrationCallback {
            lost: self.lost.clone(),
            clearing: self.clearing.take(),
            reads_local: self.reads_local,
            retried: false,
        })?;
        self.last = Some(self.queue.submit_kernel(
            Commands::packets(packets)?,
            window,
            &self.dependencies,
            completion,
        )?);
        // Later jobs of the migration run behind this one.
        self.dependencies = Dependencies::new();
        Ok(())
    }

    /// Submits the rest. Returns the fence of all of it, [`None`] if there was nothing to do.
    pub(super) fn finish(mut self) -> Result<Option<ARef<Fence>>> {
        self.submit(None)?;
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
