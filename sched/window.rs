// SPDX-License-Identifier: GPL-2.0

//! Windows of the GART, through which an engine accesses the pages of BOs.
//!
//! A window is mapped when the job that uses it runs, behind the last job that used it. Until then
//! the job is queued like any other, and no thread waits for a window.

use kernel::{
    dma::DmaAddress,
    new_mutex,
    page::PAGE_SIZE,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        Mutex, //
    }, //
};

use crate::{
    hw::{
        DeferredGart,
        Engine,
        Gpu,
        PacketBuffer, //
    },
    rust::dma_fence::Fence, //
};

/// The pages of a window.
pub(crate) const WINDOW_PAGES: usize = 4096;

/// The windows of an engine, and so the most copies of pages that it has.
const WINDOWS: usize = 8;

/// The windows of an engine.
#[pin_data]
pub(super) struct Windows {
    /// The number of the first one.
    first: u64,
    /// How many were given to jobs, which take turns.
    given: Atomic<usize>,
    /// The last job that the engine has got for each. Taken in the signalling path: memory must not
    /// be allocated while it is held.
    #[pin]
    last: Mutex<[Option<ARef<Fence>>; WINDOWS]>,
}

impl Windows {
    pub(super) fn new(engine: &Engine) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                first: u64::from(engine.index()) * WINDOWS as u64,
                given: Atomic::new(0),
                last <- new_mutex!([const { None }; WINDOWS], "Windows::last"),
            }),
            GFP_KERNEL,
        )
    }

    /// Makes a window that shows `pages`, at most [`WINDOW_PAGES`].
    pub(super) fn window(self: &Arc<Self>, gpu: &Gpu, pages: &[DmaAddress]) -> Result<Window> {
        if pages.len() > WINDOW_PAGES {
            return Err(EINVAL);
        }
        let index = self.given.fetch_add(1, Relaxed) % WINDOWS;
        let first = (self.first + index as u64) * WINDOW_PAGES as u64;

        Ok(Window {
            windows: self.clone(),
            index,
            va: gpu.gart_va(first * PAGE_SIZE as u64),
            size: (pages.len() * PAGE_SIZE) as u64,
            mapping: gpu.gart_mapping(first..first + pages.len() as u64, pages)?,
        })
    }
}

/// A window as one job sees it, from when it runs on.
pub(crate) struct Window {
    windows: Arc<Windows>,
    index: usize,
    va: u64,
    size: u64,
    mapping: DeferredGart,
}

impl Window {
    /// Begins the packets of the job. Returns the address of the pages in the kernel's address
    /// space.
    pub(crate) fn begin(&self, packets: &mut PacketBuffer) -> Result<u64> {
        packets.invalidate(self.va, self.size)?;
        Ok(self.va)
    }

    /// Returns the fence of the last job that uses the window. Jobs of an engine run one after the
    /// other, so that none comes between this and the job.
    pub(super) fn last_use(&self) -> Option<ARef<Fence>> {
        let mut last = self.windows.last.lock();
        let slot = &mut last[self.index];

        slot.take_if(|fence| fence.is_signaled());
        slot.clone()
    }

    /// Maps the pages. Called when no job uses the window any more.
    pub(super) fn map(&self) -> Result {
        self.mapping.run()
    }

    /// Notes that the job is with the engine.
    pub(super) fn used_by(&self, fence: &Fence) {
        let before = self.windows.last.lock()[self.index].replace(fence.into());

        drop(before);
    }
}
