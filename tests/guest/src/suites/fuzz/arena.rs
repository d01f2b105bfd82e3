// SPDX-License-Identifier: GPL-2.0

//! Memory that calls read and write, and nothing else has anything in.

use std::{io, ptr};

use anyhow::{Result, ensure};

/// Bytes of it. An array of the most elements that any may have, and one more, fits behind any place.
const SIZE: usize = 1 << 18;
/// Places are in so many bytes, so that structures overlap.
const PLACES: usize = 1 << 15;

/// The memory, for the life of the process: the kernel may write there after a call.
#[derive(Clone, Copy)]
pub(super) struct Arena(*mut u8);

// SAFETY: Nothing refers to its bytes. They are copied in and out, and who else writes them at the
// same time does not matter.
unsafe impl Send for Arena {}

impl Arena {
    pub(super) fn new() -> Result<Self> {
        // SAFETY: The kernel chooses the address, so no memory of ours is replaced.
        let base = unsafe {
            libc::mmap(
                ptr::null_mut(),
                SIZE,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        ensure!(base != libc::MAP_FAILED, io::Error::last_os_error());
        Ok(Self(base.cast()))
    }

    /// The address of a place, so far from its end that structures fit behind it.
    pub(super) fn place(self, random: u32) -> u64 {
        let at = (random as usize % PLACES) & !7;
        self.0 as u64 + at as u64
    }

    /// Writes bytes at an address of [`Self::place`].
    pub(super) fn write(self, address: u64, bytes: &[u8]) {
        let at = address as usize - self.0 as usize;
        assert!(at + bytes.len() <= SIZE);
        // SAFETY: It is in the memory.
        unsafe { self.0.add(at).copy_from(bytes.as_ptr(), bytes.len()) };
    }

    /// Reads a number of `size` bytes, at most eight, at an address as above.
    pub(super) fn read(self, address: u64, size: usize) -> u64 {
        let at = address as usize - self.0 as usize;
        assert!(at + size <= SIZE);
        let mut bytes = [0; 8];
        // SAFETY: It is in the memory.
        unsafe { self.0.add(at).copy_to(bytes.as_mut_ptr(), size) };
        u64::from_le_bytes(bytes)
    }

    /// Reads bytes at an address as above.
    pub(super) fn bytes(self, address: u64, len: u32) -> Vec<u8> {
        let places = (0..len).map(|at| address + u64::from(at));
        places.map(|at| self.read(at, 1) as u8).collect()
    }

    /// Makes an ioctl whose structure is at an address as above. Returns whether it succeeded.
    pub(super) fn ioctl(self, fd: i32, number: u32, address: u64) -> bool {
        // SAFETY: What the call writes is in this memory, or where there is none of the process: that
        // is what all addresses are that calls are given.
        unsafe { libc::ioctl(fd, number as _, address) == 0 }
    }
}
