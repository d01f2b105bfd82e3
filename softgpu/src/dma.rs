// SPDX-License-Identifier: GPL-2.0

//! Memory that the device may reach by DMA: the guest's, and other GPUs'.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::sync::Arc;

use vm_memory::{FileOffset, MmapRegion, VolatileMemory, VolatileSlice};

use crate::abi::limits::PAGE_SIZE;
use crate::abi::pci::DMA_BITS;
use crate::cost::Path;
use crate::peers::Window;

/// A range of DMA addresses backed by guest memory.
struct Range {
    start: u64,
    writable: bool,
    map: MmapRegion,
}

impl Range {
    fn end(&self) -> u64 {
        self.start + self.map.size() as u64
    }
}

/// How a range may be accessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// The device may only read.
    Read,
    /// The device may read and write.
    ReadWrite,
}

/// The ranges that the client has mapped, and whether the device may use them.
#[derive(Default)]
pub struct Dma {
    /// Sorted by address, without overlaps.
    ranges: Vec<Range>,
    /// What other GPUs show.
    peers: Vec<Arc<Window>>,
    bus_master: bool,
}

impl Dma {
    /// Makes `size` bytes at DMA address `start` reach `file` from `offset`. What was there before
    /// is gone.
    pub fn map(
        &mut self,
        start: u64,
        size: u64,
        file: File,
        offset: u64,
        permission: Permission,
    ) -> io::Result<()> {
        let invalid = |what: &str| io::Error::new(ErrorKind::InvalidInput, what);
        if size == 0 || (start | size | offset) & (PAGE_SIZE - 1) != 0 {
            return Err(invalid("a DMA range is not a number of whole pages"));
        }
        if start.checked_add(size).is_none() || i64::try_from(size).is_err() {
            return Err(invalid("a DMA range wraps"));
        }
        // A mapping past the end of its file is a signal when it is touched.
        let backed = offset.checked_add(size);
        if backed.is_none_or(|end| end > file.metadata().map_or(0, |meta| meta.len())) {
            return Err(invalid("a DMA range is larger than the file behind it"));
        }
        let protection = match permission {
            Permission::Read => libc::PROT_READ,
            Permission::ReadWrite => libc::PROT_READ | libc::PROT_WRITE,
        };
        let map = MmapRegion::build(
            Some(FileOffset::new(file, offset)),
            size as usize,
            protection,
            libc::MAP_SHARED | libc::MAP_NORESERVE,
        )
        .map_err(io::Error::other)?;

        self.unmap(start, size);
        let at = self.ranges.partition_point(|range| range.start < start);
        let writable = permission == Permission::ReadWrite;
        self.ranges.insert(
            at,
            Range {
                start,
                writable,
                map,
            },
        );
        Ok(())
    }

    /// Forgets every range that touches the `size` bytes from `start`.
    pub fn unmap(&mut self, start: u64, size: u64) {
        let end = start.saturating_add(size);
        self.ranges
            .retain(|range| range.end() <= start || end <= range.start);
    }

    /// Forgets every range.
    pub fn unmap_all(&mut self) {
        self.ranges.clear();
    }

    /// Says what other GPUs show. Guest memory at the same address comes first.
    pub fn set_peers(&mut self, peers: Vec<Arc<Window>>) {
        self.peers = peers;
    }

    /// Allows or forbids all DMA, as the bus master bit of the PCI command register does.
    pub fn set_bus_master(&mut self, allowed: bool) {
        self.bus_master = allowed;
    }

    /// The memory from DMA address `address`, and the way to it: `length` bytes or as many as its
    /// range has; none where the device may not go.
    pub fn reach(
        &self,
        address: u64,
        length: u64,
        write: bool,
    ) -> Option<(Path, VolatileSlice<'_>)> {
        if !self.bus_master || address >> DMA_BITS != 0 {
            return None;
        }
        let length = length.min((1 << DMA_BITS) - address);
        if let Some(memory) = self.guest(address, length, write) {
            return Some((Path::System, memory));
        }
        let mut peers = self.peers.iter();
        let memory = peers.find_map(|peer| peer.slice(address, length))?;
        Some((Path::Peer, memory))
    }

    fn guest(&self, address: u64, length: u64, write: bool) -> Option<VolatileSlice<'_>> {
        let after = self.ranges.partition_point(|range| range.start <= address);
        let range = &self.ranges[after.checked_sub(1)?];
        let length = length.min(range.end().checked_sub(address)?);
        if length == 0 || (write && !range.writable) {
            return None;
        }
        let offset = (address - range.start) as usize;
        range.map.get_slice(offset, length as usize).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vram::Vram;
    use rustix::fs::MemfdFlags;

    const PAGE: u64 = PAGE_SIZE;

    fn file(pages: u64) -> File {
        let file = File::from(rustix::fs::memfd_create(c"ram", MemfdFlags::CLOEXEC).unwrap());
        file.set_len(pages * PAGE).unwrap();
        file
    }

    fn length(dma: &Dma, address: u64, length: u64, write: bool) -> usize {
        dma.reach(address, length, write)
            .map_or(0, |(_, memory)| memory.len())
    }

    #[test]
    fn ranges() {
        let mut dma = Dma::default();
        dma.set_bus_master(true);
        dma.map(4 * PAGE, 2 * PAGE, file(2), 0, Permission::ReadWrite)
            .unwrap();
        dma.map(0, PAGE, file(2), PAGE, Permission::Read).unwrap();
        assert_eq!(length(&dma, 0, 2 * PAGE, false), 4096);
        assert_eq!(length(&dma, 0, 4, true), 0);
        assert_eq!(length(&dma, PAGE, 4, false), 0);
        assert_eq!(length(&dma, 5 * PAGE, 2 * PAGE, true), 4096);
        assert_eq!(length(&dma, 6 * PAGE, 1, true), 0);

        dma.unmap(5 * PAGE, PAGE);
        assert_eq!(length(&dma, 4 * PAGE, 1, true), 0);
        assert_eq!(length(&dma, 0, 1, false), 1);
        dma.unmap_all();
        assert_eq!(length(&dma, 0, 1, false), 0);
    }

    #[test]
    fn bus_master_and_width() {
        let mut dma = Dma::default();
        dma.map(0, PAGE, file(1), 0, Permission::ReadWrite).unwrap();
        assert_eq!(length(&dma, 0, 1, false), 0);
        dma.set_bus_master(true);
        assert_eq!(length(&dma, 0, 1, false), 1);

        let top = 1 << DMA_BITS;
        dma.map(top - PAGE, 2 * PAGE, file(2), 0, Permission::ReadWrite)
            .unwrap();
        assert_eq!(length(&dma, top - PAGE, 2 * PAGE, true), 4096);
        assert_eq!(length(&dma, top, 1, true), 0);
    }

    #[test]
    fn peers_are_another_way() {
        let window = Arc::new(Window::new(Arc::new(Vram::new(4 << 20).unwrap()), 1 << 20));
        let mut dma = Dma::default();
        dma.set_bus_master(true);
        dma.set_peers(vec![Arc::clone(&window)]);
        let path = |dma: &Dma, address| dma.reach(address, 4, true).map(|(path, _)| path);
        assert_eq!(path(&dma, 1 << 30), None);
        window.set(Some(1 << 30));
        assert_eq!(path(&dma, 1 << 30), Some(Path::Peer));
        // Guest memory comes first.
        dma.map(1 << 30, PAGE, file(1), 0, Permission::ReadWrite)
            .unwrap();
        assert_eq!(path(&dma, 1 << 30), Some(Path::System));
        assert_eq!(path(&dma, (1 << 30) + PAGE), Some(Path::Peer));
        dma.set_bus_master(false);
        assert_eq!(path(&dma, 1 << 30), None);
    }

    #[test]
    fn refuses_bad_ranges() {
        let mut dma = Dma::default();
        for (start, size, offset) in [
            (1, PAGE, 0),
            (0, 0, 0),
            (0, 3 * PAGE, 0),
            (0, PAGE, 2 * PAGE),
            (0, PAGE, u64::MAX - PAGE + 1),
            (u64::MAX - PAGE + 1, PAGE, 0),
        ] {
            let result = dma.map(start, size, file(2), offset, Permission::ReadWrite);
            assert!(result.is_err(), "{start:#x} {size:#x} {offset:#x}");
        }
    }
}
