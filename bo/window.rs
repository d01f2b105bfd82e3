// SPDX-License-Identifier: GPL-2.0

//! Windows of the GART, through which the copy engines access the pages of BOs.

use kernel::{
    dma::DmaAddress,
    new_condvar,
    new_mutex,
    page::PAGE_SIZE,
    prelude::*,
    sync::{
        aref::ARef,
        CondVar,
        Mutex, //
    },
    time::Jiffies, //
};

use crate::{
    hw::{
        Gpu,
        PacketBuffer, //
    },
    rust::dma_fence::Fence, //
};

/// The pages of a window.
pub(super) const WINDOW_PAGES: usize = 4096;

/// The number of windows, and so the most copies of pages in flight.
const WINDOWS: usize = 16;

/// The windows of a device.
#[pin_data]
pub(crate) struct Windows {
    /// The windows that are not being set up, least recently used first.
    #[pin]
    idle: Mutex<KVec<Slot>>,
    #[pin]
    returned: CondVar,
}

struct Slot {
    index: u64,
    /// The last job that uses it.
    fence: Option<ARef<Fence>>,
}

/// A window that no job uses, being set up for the next. Dropping it returns it.
pub(super) struct Window<'a> {
    windows: &'a Windows,
    slot: Slot,
}

impl Windows {
    /// Returns the initializer of the windows.
    pub(crate) fn new() -> impl PinInit<Self, Error> {
        let idle = || -> Result<_> {
            let mut idle = KVec::with_capacity(WINDOWS, GFP_KERNEL)?;
            for index in 0..WINDOWS as u64 {
                idle.push(Slot { index, fence: None }, GFP_KERNEL)?;
            }
            Ok(idle)
        };
        try_pin_init!(Self {
            idle <- new_mutex!(idle()?, "Windows::idle"),
            returned <- new_condvar!("Windows::returned"),
        })
    }

    /// Takes a window, and waits for the last job that uses it.
    pub(super) fn take(&self) -> Result<Window<'_>> {
        let mut idle = self.idle.lock();
        let slot = loop {
            // Copies run on several engines: the oldest one need not be the first to end.
            let done = idle.iter().position(|slot| match &slot.fence {
                Some(fence) => fence.is_signaled(),
                None => true,
            });
            match idle.remove(done.unwrap_or(0)) {
                Ok(slot) => break slot,
                // The holders of windows return them without waiting for this lock's waiters.
                Err(_) => self.returned.wait(&mut idle),
            }
        };
        drop(idle);

        let mut window = Window {
            windows: self,
            slot,
        };
        if let Some(fence) = window.slot.fence.as_ref() {
            fence.wait(false, Jiffies::MAX)?;
        }
        window.slot.fence = None;
        Ok(window)
    }
}

impl Window<'_> {
    /// Maps `pages`, at most [`WINDOW_PAGES`], for the job that `packets` begins. Returns their
    /// address in the kernel's address space.
    pub(super) fn show(
        &self,
        gpu: &Gpu,
        pages: &[DmaAddress],
        packets: &mut PacketBuffer,
    ) -> Result<u64> {
        let first = self.slot.index * WINDOW_PAGES as u64;
        let va = gpu.gart_va(first * PAGE_SIZE as u64);

        gpu.gart_map(first..first + pages.len() as u64, pages.iter().copied())?;
        packets.invalidate(va, (pages.len() * PAGE_SIZE) as u64)?;
        Ok(va)
    }

    /// Notes the last job that uses the window.
    pub(super) fn used_by(&mut self, fence: &Fence) {
        self.slot.fence = Some(fence.into());
    }
}

impl Drop for Window<'_> {
    fn drop(&mut self) {
        let slot = Slot {
            index: self.slot.index,
            fence: self.slot.fence.take(),
        };
        // It is where it was taken from: there is room.
        let _ = self.windows.idle.lock().push_within_capacity(slot);
        self.windows.returned.notify_one();
    }
}
