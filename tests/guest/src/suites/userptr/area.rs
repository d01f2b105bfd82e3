// SPDX-License-Identifier: GPL-2.0

//! Memory of this process that the GPU uses, of a kind and with a life that the library does not have.

use std::ffi::c_void;
use std::fs::{self, File};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::FileExt;
use std::{io, mem, ptr};

use anyhow::{Context, Result, ensure};
use rgt::{BindOp, Binding, Bo, checksum};

use crate::harness::skip;
use crate::rig::{PAGE, PATIENCE, Rig, compact};

/// An area of addresses, unmapped when dropped. What is there may go and come.
pub(in crate::suites) struct Area {
    base: *mut u8,
    len: usize,
}

// SAFETY: The addresses are of the process, not of a thread.
unsafe impl Send for Area {}
// SAFETY: All access is volatile and by aligned dwords, to memory that anyone may change.
unsafe impl Sync for Area {}

impl Area {
    /// Maps memory: of a file if there is one.
    pub(super) fn map(
        len: usize,
        prot: libc::c_int,
        flags: libc::c_int,
        file: Option<(BorrowedFd<'_>, u64)>,
    ) -> Result<Self> {
        Self::map_at(ptr::null_mut(), len, prot, flags, file)
    }

    fn map_at(
        at: *mut c_void,
        len: usize,
        prot: libc::c_int,
        flags: libc::c_int,
        file: Option<(BorrowedFd<'_>, u64)>,
    ) -> Result<Self> {
        use std::os::fd::AsRawFd;
        let (fd, offset) = file.map_or((-1, 0), |(fd, offset)| (fd.as_raw_fd(), offset));
        // SAFETY: At an address that the kernel chooses, or at one that is an area's.
        let base = unsafe { libc::mmap(at, len, prot, flags, fd, offset as libc::off_t) };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error()).context("mmap");
        }
        let base = base.cast();
        Ok(Self { base, len })
    }

    /// Private memory of this process.
    pub(super) fn anonymous(len: usize) -> Result<Self> {
        Self::map(
            len,
            READ_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            None,
        )
    }

    /// As above, at an address that is a multiple of 2 MiB.
    pub(in crate::suites) fn aligned(len: usize) -> Result<Self> {
        let mut area = Self::anonymous(len + HUGE)?;
        let before = area.base.addr().next_multiple_of(HUGE) - area.base.addr();
        // SAFETY: What is unmapped is of the area, and is not used.
        unsafe {
            let base = area.base.add(before);
            libc::munmap(area.base.cast(), before);
            libc::munmap(base.add(len).cast(), HUGE - before);
            area.base = base;
        }
        area.len = len;
        Ok(area)
    }

    /// So many huge pages with numbers in them. Skips the test where the kernel has none to give.
    pub(super) fn huge(count: usize) -> Result<Self> {
        const TRIES: usize = 5;
        for _ in 0..TRIES {
            let area = Self::aligned(count * HUGE)?;
            area.advise(0, area.len, libc::MADV_HUGEPAGE)?;
            area.number(1);
            if area.huge_bytes()? == area.len {
                return Ok(area);
            }
            drop(area);
            compact()?;
        }
        skip("the kernel has no huge pages to give")
    }

    /// Bytes of it that are huge pages, also for the process.
    pub(super) fn huge_bytes(&self) -> Result<usize> {
        let (from, to) = (self.base.addr(), self.base.addr() + self.len);
        let (mut inside, mut kib) = (false, 0);
        for line in fs::read_to_string("/proc/self/smaps")?.lines() {
            let word = line.split_whitespace().next().unwrap_or_default();
            // The addresses of a mapping, or a key of it.
            if let Some((start, end)) = word.split_once('-')
                && let Ok(start) = usize::from_str_radix(start, 16)
                && let Ok(end) = usize::from_str_radix(end, 16)
            {
                inside = start < to && from < end;
            } else if let Some(rest) = line.strip_prefix("AnonHugePages:")
                && inside
            {
                let number = rest.split_whitespace().next().unwrap_or_default();
                kib += number.parse::<usize>()?;
            }
        }
        Ok(kib << 10)
    }

    /// What the process's page table has of each page: see the kernel's pagemap.rst.
    pub(super) fn page_map(&self) -> Result<Vec<u64>> {
        let first = self.base.addr() / PAGE as usize;
        let mut entries = vec![0; self.len / PAGE as usize * 8];
        File::open("/proc/self/pagemap")?.read_exact_at(&mut entries, first as u64 * 8)?;
        let entries = entries.as_chunks().0.iter();
        Ok(entries.map(|entry| u64::from_ne_bytes(*entry)).collect())
    }

    pub(in crate::suites) fn len(&self) -> usize {
        self.len
    }

    pub(in crate::suites) fn as_ptr(&self) -> *mut c_void {
        self.base.cast()
    }

    /// Writes a dword, also where nothing is.
    pub(super) fn write(&self, offset: usize, value: u32) {
        assert!(offset + 4 <= self.len);
        // SAFETY: Inside of the area; where nothing is this is what a test is about.
        unsafe { self.base.add(offset).cast::<u32>().write_volatile(value) }
    }

    /// Reads a dword, also where nothing is.
    pub(in crate::suites) fn read(&self, offset: usize) -> u32 {
        assert!(offset + 4 <= self.len);
        // SAFETY: As above.
        unsafe { self.base.add(offset).cast::<u32>().read_volatile() }
    }

    /// Writes the number of each page, and a tag, all over it.
    pub(in crate::suites) fn number(&self, tag: u32) {
        for page in 0..self.len / PAGE as usize {
            let value = tag + page as u32;
            for offset in (0..PAGE as usize).step_by(4) {
                self.write(page * PAGE as usize + offset, value);
            }
        }
    }

    /// The checksum of all of it, as the GPU counts it.
    pub(in crate::suites) fn checksum(&self) -> u64 {
        let words: Vec<_> = (0..self.len)
            .step_by(4)
            .map(|offset| self.read(offset))
            .collect();
        checksum::of_dwords(&words)
    }

    /// Gives advice of memory that is all, or a part, of it.
    pub(in crate::suites) fn advise(
        &self,
        offset: usize,
        len: usize,
        advice: libc::c_int,
    ) -> Result<()> {
        assert!(offset + len <= self.len);
        // SAFETY: Inside of the area.
        let done = unsafe { libc::madvise(self.base.add(offset).cast(), len, advice) };
        check(done).context("madvise")
    }

    /// How many of its pages are there.
    pub(super) fn present(&self) -> Result<usize> {
        let mut pages = vec![0; self.len / PAGE as usize];
        // SAFETY: All of the area, with a byte for each of its pages.
        let done = unsafe { libc::mincore(self.as_ptr(), self.len, pages.as_mut_ptr()) };
        check(done).context("mincore")?;
        Ok(pages.iter().filter(|page| **page & 1 != 0).count())
    }

    /// Changes the rights of all of it.
    pub(super) fn protect(&self, prot: libc::c_int) -> Result<()> {
        // SAFETY: Inside of the area.
        let done = unsafe { libc::mprotect(self.base.cast(), self.len, prot) };
        check(done).context("mprotect")
    }

    /// Takes away a part.
    pub(super) fn punch(&self, offset: usize, len: usize) -> Result<()> {
        assert!(offset + len <= self.len);
        // SAFETY: Inside of the area.
        let done = unsafe { libc::munmap(self.base.add(offset).cast(), len) };
        check(done).context("munmap")
    }

    /// Replaces a part by other memory.
    pub(super) fn replace(
        &self,
        offset: usize,
        len: usize,
        flags: libc::c_int,
        file: Option<(BorrowedFd<'_>, u64)>,
    ) -> Result<()> {
        assert!(offset + len <= self.len);
        // SAFETY: Inside of the area.
        let at = unsafe { self.base.add(offset) }.cast();
        let part = Self::map_at(at, len, READ_WRITE, flags | libc::MAP_FIXED, file)?;
        mem::forget(part);
        Ok(())
    }

    /// Moves the memory elsewhere, where it is another area, and leaves nothing behind.
    pub(super) fn leave(self) -> Result<Self> {
        // The kernel need not move what does not grow.
        let there = Self::anonymous(self.len)?;
        self.remap(self.len, libc::MREMAP_FIXED, there.as_ptr())?;
        // Its addresses are those of whoever is given them next.
        mem::forget(self);
        Ok(there)
    }

    /// Has the memory end earlier; the addresses behind that stay its own.
    pub(super) fn shrink(&self, len: usize) -> Result<()> {
        self.remap(len, 0, ptr::null_mut()).map(drop)
    }

    /// Moves the memory elsewhere, where it is another area, and leaves one with nothing in it.
    pub(super) fn move_away(&self) -> Result<Self> {
        let base = self.remap(self.len, MREMAP_DONTUNMAP, ptr::null_mut())?;
        Ok(Self {
            base,
            len: self.len,
        })
    }

    /// Gives all of it a length, and a place that the kernel chooses unless a flag says `there`.
    fn remap(&self, len: usize, flags: libc::c_int, there: *mut c_void) -> Result<*mut u8> {
        assert!(len <= self.len);
        let flags = libc::MREMAP_MAYMOVE | flags;
        // SAFETY: All of the area, to a place that is free or another area's, which is as long.
        let base = unsafe { libc::mremap(self.base.cast(), self.len, len, flags, there) };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error()).context("mremap");
        }
        Ok(base.cast())
    }

    /// Maps it in a rig's VM.
    pub(in crate::suites) fn bind(&self, rig: &Rig) -> Result<Bound> {
        self.bind_op(rig, |op| op)
    }

    /// As above, for the GPU to read.
    pub(super) fn bind_read_only(&self, rig: &Rig) -> Result<Bound> {
        self.bind_op(rig, BindOp::read_only)
    }

    fn bind_op(&self, rig: &Rig, adjust: impl FnOnce(BindOp) -> BindOp) -> Result<Bound> {
        let range = rig.vm.reserve(self.len as u64)?;
        let op = self.op(range.addr());
        rig.vm.bind(&[adjust(op)])?;
        Ok(Bound { range })
    }

    /// What maps it at an address.
    pub(in crate::suites) fn op(&self, addr: u64) -> BindOp {
        // SAFETY: Nothing but tests uses the area, by volatile accesses; when it is unmapped, its
        // addresses are used again for an area only, or the test is over.
        unsafe { BindOp::memory(self.as_ptr(), addr, self.len as u64) }
    }
}

impl Drop for Area {
    fn drop(&mut self) {
        // SAFETY: The area is ours.
        unsafe { libc::munmap(self.base.cast(), self.len) };
    }
}

/// Memory that can be read and written.
pub(super) const READ_WRITE: libc::c_int = libc::PROT_READ | libc::PROT_WRITE;
/// A huge page.
pub(in crate::suites) const HUGE: usize = 2 << 20;
const MREMAP_DONTUNMAP: libc::c_int = 4;

fn check(done: libc::c_int) -> Result<()> {
    if done != 0 {
        return Err(io::Error::last_os_error().into());
    }
    Ok(())
}

/// An area in a VM.
pub(in crate::suites) struct Bound {
    range: Binding,
}

impl Bound {
    pub(in crate::suites) fn addr(&self) -> u64 {
        self.range.addr()
    }

    /// The checksum of all of it, by the GPU.
    pub(in crate::suites) fn checksum(&self, rig: &Rig) -> Result<u64> {
        let result = rig.gtt(8)?;
        let mut work = rig.work(rig.copy)?;
        let to = work.writes(&result)?;
        work.commands.checksum(self.addr(), self.range.size(), to)?;
        work.run()?;
        Ok(result.map()?.read_u64(0))
    }

    /// Has the GPU write a dword, and returns whether the job went on behind that.
    pub(super) fn write(&self, rig: &Rig, offset: usize, value: u32) -> Result<bool> {
        let result = rig.gtt(8)?;
        let mut work = rig.work(rig.copy)?;
        let to = work.writes(&result)?;
        work.commands.write(self.addr() + offset as u64, &[value])?;
        work.commands.write(to, &[1])?;
        work.run()?;
        Ok(result.map()?.read(0) == 1)
    }

    /// Has the GPU fill all of it.
    pub(super) fn fill(&self, rig: &Rig, value: u32) -> Result<()> {
        let result = rig.gtt(8)?;
        let mut work = rig.work(rig.copy)?;
        let to = work.writes(&result)?;
        work.commands.fill(self.addr(), self.range.size(), value)?;
        work.commands.write(to, &[1])?;
        work.run()?;
        ensure!(result.map()?.read(0) == 1, "the job has faulted");
        Ok(())
    }

    /// Has the GPU copy a BO of its size to it.
    pub(super) fn copy_from(&self, rig: &Rig, bo: &Bo) -> Result<()> {
        let mut work = rig.work(rig.copy)?;
        let from = work.reads(bo)?;
        work.commands.copy(from, self.addr(), self.range.size())?;
        work.run()
    }

    /// A job that does nothing with it.
    pub(super) fn idle_job(&self, rig: &Rig) -> Result<()> {
        let mut work = rig.work(rig.copy)?;
        work.commands.nop()?;
        work.submit()?;
        work.commands.wait(PATIENCE)?;
        Ok(())
    }
}
