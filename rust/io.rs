// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Memory of a device that the CPU accesses over the bus.

use core::{
    num::NonZero,
    ops::Range, //
};

use kernel::{
    io::PhysAddr,
    page::{
        PAGE_SHIFT,
        PAGE_SIZE, //
    }, //
};

/// A range of physical addresses that page faults may map into user space.
///
/// # Invariants
///
/// As [`Self::new()`] asks.
#[derive(Clone)]
pub struct IoRegion(Range<PhysAddr>);

impl IoRegion {
    /// Creates a region of a range.
    ///
    /// # Safety
    ///
    /// The range must be a device's memory, of which the device's driver gives extents to BOs, and
    /// which programs may access as they like. It must stay so until the device is unregistered.
    pub unsafe fn new(range: Range<PhysAddr>) -> Self {
        // INVARIANT: By the safety requirements.
        Self(range)
    }

    /// Returns the size in bytes.
    pub fn size(&self) -> u64 {
        self.0.end.saturating_sub(self.0.start)
    }

    /// Returns the run of pages of `bytes`, counted from the start of the region. [`None`] where
    /// they are not inside, not whole pages, or none.
    pub fn run(&self, bytes: Range<u64>) -> Option<IoRun> {
        let size = bytes.end.checked_sub(bytes.start)?;
        let addr = self.0.start.checked_add(bytes.start as PhysAddr)?;
        if bytes.end > self.size() || (addr | size) % PAGE_SIZE as u64 != 0 {
            return None;
        }

        // INVARIANT: The bytes are inside.
        Some(IoRun {
            addr,
            pages: NonZero::new((size >> PAGE_SHIFT) as usize)?,
        })
    }
}

/// Adjacent pages of an [`IoRegion`].
///
/// # Invariants
///
/// They are in a region, and at least one.
pub struct IoRun {
    addr: PhysAddr,
    pages: NonZero<usize>,
}

impl IoRun {
    /// Returns the physical address of the first page.
    pub fn addr(&self) -> PhysAddr {
        self.addr
    }

    /// Returns the number of pages, at least 1.
    pub fn pages(&self) -> usize {
        self.pages.get()
    }
}
