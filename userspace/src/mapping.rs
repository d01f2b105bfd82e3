// SPDX-License-Identifier: MIT

//! CPU mappings of BOs, and memory of the process that the GPU can be given.

use std::ffi::c_void;
use std::ops::Range;
use std::os::fd::AsFd;
use std::ptr::{self, NonNull};

use rustix::mm::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap};

use crate::checksum::{CHUNK, Checksum};
use crate::error::{Error, Result};

/// A CPU mapping of a BO, or of memory of the process, unmapped when dropped.
///
/// The GPU and other processes write the memory too, so it is never lent as a slice: all access
/// is by copies of aligned dwords. Offsets and lengths out of bounds or misaligned panic, as
/// those of a slice would.
#[derive(Debug)]
pub struct Mapping {
    base: NonNull<u32>,
    len: usize,
}

// SAFETY: The mapping belongs to the process, not to a thread.
unsafe impl Send for Mapping {}
// SAFETY: All access is volatile and by aligned dwords to memory that anyone may change at any
// time; another thread is no different from the GPU.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps `len` bytes of a device file.
    pub fn new(fd: impl AsFd, offset: u64, len: usize) -> Result<Self> {
        let prot = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: The kernel chooses the address, so no memory of ours is replaced.
        let base = unsafe { mmap(ptr::null_mut(), len, prot, MapFlags::SHARED, fd, offset) };
        Self::of(base, len)
    }

    /// Maps `len` bytes of memory of the process, which are 0.
    pub fn anonymous(len: usize) -> Result<Self> {
        let prot = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: As above.
        let base = unsafe { mmap_anonymous(ptr::null_mut(), len, prot, MapFlags::PRIVATE) };
        Self::of(base, len)
    }

    fn of(base: rustix::io::Result<*mut c_void>, len: usize) -> Result<Self> {
        let base = base.map_err(|errno| Error::Os {
            call: "mmap",
            errno,
        })?;
        let base = NonNull::new(base.cast()).ok_or(Error::BadAnswer("mmap gave address 0"))?;
        Ok(Self { base, len })
    }

    /// Bytes mapped.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is mapped; a mapping never is empty.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Where it is, for system calls about it. A caller that unmaps a part of it must not
    /// access that part any more.
    pub fn as_ptr(&self) -> *mut u32 {
        self.base.as_ptr()
    }

    fn dwords(&self, offset: usize, count: usize) -> *mut u32 {
        assert!(
            offset.is_multiple_of(4),
            "offset {offset:#x} is not a dword's"
        );
        let end = count
            .checked_mul(4)
            .and_then(|bytes| bytes.checked_add(offset));
        assert!(
            end.is_some_and(|end| end <= self.len),
            "{count} dwords at {offset:#x} are not in {:#x} bytes",
            self.len
        );
        // SAFETY: The offset is inside the mapping, as was just checked.
        unsafe { self.base.as_ptr().byte_add(offset) }
    }

    /// Reads a dword.
    pub fn read(&self, offset: usize) -> u32 {
        // SAFETY: `dwords` checked that this dword is mapped and aligned.
        unsafe { self.dwords(offset, 1).read_volatile() }
    }

    /// Reads a 64-bit word, low dword first.
    pub fn read_u64(&self, offset: usize) -> u64 {
        u64::from(self.read(offset)) | u64::from(self.read(offset + 4)) << 32
    }

    /// Writes a dword.
    pub fn write(&self, offset: usize, value: u32) {
        // SAFETY: `dwords` checked that this dword is mapped and aligned.
        unsafe { self.dwords(offset, 1).write_volatile(value) }
    }

    /// Writes dwords from an offset on.
    pub fn write_slice(&self, offset: usize, data: &[u32]) {
        let base = self.dwords(offset, data.len());
        for (index, value) in data.iter().enumerate() {
            // SAFETY: `dwords` checked that these dwords are mapped and aligned.
            unsafe { base.add(index).write_volatile(*value) }
        }
    }

    /// Reads dwords from an offset on.
    pub fn read_slice(&self, offset: usize, data: &mut [u32]) {
        let base = self.dwords(offset, data.len());
        for (index, value) in data.iter_mut().enumerate() {
            // SAFETY: `dwords` checked that these dwords are mapped and aligned.
            *value = unsafe { base.add(index).read_volatile() };
        }
    }

    /// Writes the same dword all over a range of bytes.
    pub fn fill(&self, range: Range<usize>, value: u32) {
        let count = range.len() / 4;
        let base = self.dwords(range.start, count);
        for index in 0..count {
            // SAFETY: `dwords` checked that these dwords are mapped and aligned.
            unsafe { base.add(index).write_volatile(value) }
        }
    }

    /// The checksum of a range of bytes, as the CHECKSUM packet counts it.
    pub fn checksum(&self, range: Range<usize>) -> u64 {
        let mut sum = Checksum::default();
        let mut chunk = [0; CHUNK];
        for offset in range.clone().step_by(size_of_val(&chunk)) {
            let chunk = &mut chunk[..((range.end - offset) / 4).min(CHUNK)];
            self.read_slice(offset, chunk);
            sum.add(chunk);
        }
        sum.value()
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: The range was mapped by `new`, and nothing borrowed from it can be left.
        let result = unsafe { munmap(self.base.as_ptr().cast::<c_void>(), self.len) };
        debug_assert!(result.is_ok());
    }
}
