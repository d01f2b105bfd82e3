// SPDX-License-Identifier: GPL-2.0

//! Files of guest memory, each mapped once and whole.

use std::os::fd::OwnedFd;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicBool, Ordering};

use log::error;
use rustix::fs::{OFlags, Stat, fcntl_getfl, fstat, fstatfs};
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use vm_memory::VolatileSlice;

use super::sigbus::Watch;
use crate::abi::limits::PAGE_SIZE;

/// `f_type` of hugetlbfs.
const HUGETLBFS_MAGIC: i64 = 0x9584_58f6;

/// The identity of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct FileId {
    device: u64,
    inode: u64,
}

impl From<&Stat> for FileId {
    fn from(stat: &Stat) -> Self {
        Self {
            device: stat.st_dev,
            inode: stat.st_ino,
        }
    }
}

/// A file's identity, and the bytes that it has now.
pub(super) fn identify(file: &OwnedFd) -> Result<(FileId, u64), Errno> {
    let stat = fstat(file)?;
    let size = u64::try_from(stat.st_size).map_err(|_| Errno::OVERFLOW)?;
    Ok((FileId::from(&stat), size))
}

/// Whether a descriptor allows writes.
pub(super) fn is_writable(file: &OwnedFd) -> Result<bool, Errno> {
    Ok(fcntl_getfl(file)? & OFlags::ACCMODE == OFlags::RDWR)
}

/// A whole file in memory. It needs no descriptor.
pub(super) struct MappedFile {
    start: NonNull<u8>,
    length: usize,
    writable: bool,
    /// Gone before the mapping is.
    watch: Option<Watch>,
    told: AtomicBool,
}

// SAFETY: The mapping is shared memory that belongs to no thread, and is only accessed as volatile
// memory.
unsafe impl Send for MappedFile {}
// SAFETY: As above.
unsafe impl Sync for MappedFile {}

impl MappedFile {
    /// Maps `size` bytes, which is not 0, from the start of a file.
    pub(super) fn new(file: &OwnedFd, size: u64, writable: bool) -> Result<Self, Errno> {
        let length = usize::try_from(size).map_err(|_| Errno::FBIG)?;
        let mut protection = ProtFlags::READ;
        if writable {
            protection |= ProtFlags::WRITE;
        }
        let flags = MapFlags::SHARED | MapFlags::NORESERVE;
        // SAFETY: The kernel chooses where the mapping goes, so it replaces nothing.
        let start = unsafe { mmap(ptr::null_mut(), length, protection, flags, file, 0)? };
        let start = NonNull::new(start.cast()).ok_or(Errno::NOMEM)?;
        let mut map = Self {
            start,
            length,
            writable,
            watch: None,
            told: AtomicBool::new(false),
        };
        let watch = Watch::new(start.as_ptr() as usize, length, page_size(file)?);
        map.watch = Some(watch.map_err(|error| {
            let number = error.raw_os_error().unwrap_or(libc::EIO);
            Errno::from_raw_os_error(number)
        })?);
        Ok(map)
    }

    /// Whether no access has found a part of the file gone. Logs it once if one has.
    pub(super) fn is_whole(&self) -> bool {
        let lost = self.watch.as_ref().is_some_and(Watch::lost);
        if lost && !self.told.swap(true, Ordering::Relaxed) {
            error!(
                "{} bytes of guest memory are out of reach: the file behind them was truncated, \
                 or its file system has no memory left",
                self.length
            );
        }
        !lost
    }

    /// Whether it has `end` bytes and, if `write` says so, can be written.
    pub(super) fn serves(&self, end: u64, write: bool) -> bool {
        end <= self.length as u64 && (self.writable || !write) && self.is_whole()
    }

    /// The memory from `offset`: `length` bytes, if the file had so many when it was mapped and
    /// [is whole](Self::is_whole).
    pub(super) fn slice(&self, offset: u64, length: u64) -> Option<VolatileSlice<'_>> {
        let end = offset.checked_add(length)?;
        if end > self.length as u64 || !self.is_whole() {
            return None;
        }
        // SAFETY: Both are at most the length of the mapping, as was checked.
        let start = unsafe { self.start.as_ptr().add(offset as usize) };
        // SAFETY: The memory is part of the mapping, which lives as long as `self`.
        Some(unsafe { VolatileSlice::new(start, length as usize) })
    }
}

impl Drop for MappedFile {
    fn drop(&mut self) {
        self.watch = None;
        // SAFETY: The mapping is this object's, and no slice of it outlives it.
        if let Err(errno) = unsafe { munmap(self.start.as_ptr().cast(), self.length) } {
            error!("cannot unmap guest memory: {errno}");
        }
    }
}

/// Bytes of a page of a file's mapping.
fn page_size(file: &OwnedFd) -> Result<usize, Errno> {
    let system = fstatfs(file)?;
    if system.f_type == HUGETLBFS_MAGIC {
        usize::try_from(system.f_bsize).map_err(|_| Errno::INVAL)
    } else {
        Ok(PAGE_SIZE as usize)
    }
}
