// SPDX-License-Identifier: GPL-2.0

//! Peer-to-peer access among the GPUs of a process: to the VRAM behind BAR 2, at its bus address.
//!
//! On a real bus the function that claims an address completes an access to it. Here the GPU that
//! makes the access finds the memory by itself. It takes no lock of the other GPU, so that two GPUs
//! that access each other cannot deadlock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use vm_memory::VolatileSlice;

use crate::vram::Vram;

/// The address of a window that is closed. No window can begin there.
const CLOSED: u64 = u64::MAX;

/// The window of a GPU's VRAM on the bus.
pub struct Window {
    vram: Arc<Vram>,
    size: u64,
    start: AtomicU64,
}

impl Window {
    /// A closed window to the first `size` bytes.
    pub fn new(vram: Arc<Vram>, size: u64) -> Self {
        Self {
            vram,
            size,
            start: AtomicU64::new(CLOSED),
        }
    }

    /// Opens the window at a bus address, or closes it.
    pub fn set(&self, start: Option<u64>) {
        self.start.store(start.unwrap_or(CLOSED), Ordering::Release);
    }

    /// The memory from bus address `address`: `length` bytes or as many as the window has; none
    /// outside of it.
    pub fn slice(&self, address: u64, length: u64) -> Option<VolatileSlice<'_>> {
        let start = self.start.load(Ordering::Acquire);
        if start == CLOSED {
            return None;
        }
        let offset = address.checked_sub(start)?;
        let length = length.min(self.size.checked_sub(offset)?);
        self.vram.slice(offset, length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const M: u64 = 1 << 20;

    #[test]
    fn it_shows_what_is_visible_where_it_is() {
        let window = Window::new(Arc::new(Vram::new(4 * M).unwrap()), M);
        let length = |address, length| window.slice(address, length).map_or(0, |it| it.len());
        assert_eq!(length(0, 8), 0);
        assert_eq!(length(u64::MAX, 1), 0);
        window.set(Some(64 * M));
        assert_eq!(length(64 * M, 8), 8);
        assert_eq!(length(64 * M - 1, 8), 0);
        assert_eq!(length(65 * M - 4, 8), 4);
        assert_eq!(length(65 * M, 8), 0);
        window.set(None);
        assert_eq!(length(64 * M, 8), 0);
    }
}
