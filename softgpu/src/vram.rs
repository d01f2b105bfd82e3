// SPDX-License-Identifier: GPL-2.0

//! The GPU's own memory.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};

use anyhow::Context;
use rustix::fs::{MemfdFlags, SealFlags, SeekFrom, seek};
use vm_memory::{FileOffset, MmapRegion, VolatileMemory, VolatileSlice};

use crate::bad_pages::BadPages;
use crate::poison::Poison;

/// VRAM: a memory file, whose visible part the client maps.
pub struct Vram {
    map: MmapRegion,
    /// Bad pages.
    pub bad_pages: BadPages,
}

impl Vram {
    /// Makes `size` bytes of VRAM.
    pub fn new(size: u64) -> anyhow::Result<Self> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let file = File::from(
            rustix::fs::memfd_create(c"softgpu-vram", flags).context("cannot make VRAM")?,
        );
        file.set_len(size)
            .with_context(|| format!("cannot make {size} bytes of VRAM"))?;
        // The client gets this file. The seals keep it from truncating mapped memory.
        rustix::fs::fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)
            .context("cannot seal VRAM")?;
        let length = usize::try_from(size).context("VRAM does not fit this machine")?;
        let map = MmapRegion::from_file(FileOffset::new(file, 0), length)
            .with_context(|| format!("cannot map {size} bytes of VRAM"))?;
        Ok(Self {
            map,
            bad_pages: BadPages::default(),
        })
    }

    /// Bytes of VRAM.
    pub fn size(&self) -> u64 {
        self.map.size() as u64
    }

    /// The file, for the client to map. It lives as long as the VRAM.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.file().as_fd()
    }

    /// The memory from `offset`: `length` bytes or as many as there are; none outside of it.
    pub fn slice(&self, offset: u64, length: u64) -> Option<VolatileSlice<'_>> {
        let length = length.min(self.size().checked_sub(offset)?);
        if length == 0 {
            return None;
        }
        self.map.get_slice(offset as usize, length as usize).ok()
    }

    /// Poisons the content. Pages that were never used stay holes of the file and take no memory of
    /// the host.
    pub fn lose(&self, seed: u64) {
        let poison = Poison::new(seed);
        let mut end = 0;
        while let Ok(start) = seek(self.file(), SeekFrom::Data(end)) {
            end = seek(self.file(), SeekFrom::Hole(start)).unwrap_or(self.size());
            if let Some(used) = self.slice(start, end - start) {
                poison.fill(&used);
            }
        }
    }

    /// Makes ones of the first `length` bytes.
    pub fn set_ones(&self, length: u64) {
        let ones = vec![0xffu8; 1 << 20];
        let mut offset = 0;
        while let Some(slice) = self.slice(offset, (ones.len() as u64).min(length - offset)) {
            slice.copy_from(&ones);
            offset += slice.len() as u64;
        }
    }

    fn file(&self) -> &File {
        self.map
            .file_offset()
            .expect("VRAM is mapped from a file")
            .file()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vm_memory::Bytes;

    #[test]
    fn bounds_and_content() {
        let vram = Vram::new(2 << 20).unwrap();
        assert!(vram.slice(2 << 20, 1).is_none());
        assert!(vram.slice(u64::MAX, 1).is_none());
        assert_eq!(vram.slice((2 << 20) - 4, 100).unwrap().len(), 4);
        let slice = vram.slice(4096, 8).unwrap();
        slice.write_obj(7u64, 0).unwrap();
        vram.lose(1);
        let first = slice.read_obj::<u64>(0).unwrap();
        assert!(![0, 7].contains(&first));
        vram.lose(2);
        assert!(![0, 7, first].contains(&slice.read_obj::<u64>(0).unwrap()));
    }

    #[test]
    fn what_is_not_used_takes_no_memory() {
        let vram = Vram::new(64 << 20).unwrap();
        let blocks = || rustix::fs::fstat(vram.file()).unwrap().st_blocks;
        for offset in [0, 32 << 20, (64 << 20) - 4096] {
            vram.slice(offset, 8).unwrap().write_obj(7u64, 0).unwrap();
        }
        let used = blocks();
        vram.lose(1);
        assert_eq!(blocks(), used);
        for offset in [0, 32 << 20, (64 << 20) - 4096] {
            assert_ne!(
                vram.slice(offset, 8).unwrap().read_obj::<u64>(0).unwrap(),
                7
            );
        }
    }

    #[test]
    fn cannot_be_cut_off() {
        let vram = Vram::new(2 << 20).unwrap();
        assert!(vram.file().set_len(0).is_err());
    }
}
