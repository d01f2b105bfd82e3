// SPDX-License-Identifier: GPL-2.0

//! Memory that the device may reach by DMA: the guest's, and other GPUs'.

mod file;
mod sigbus;

use std::collections::{BTreeMap, HashMap};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::io::Errno;
use vm_memory::VolatileSlice;

use crate::abi::limits::PAGE_SIZE;
use crate::abi::pci::DMA_BITS;
use crate::cost::Path;
use crate::peers::Window;
use crate::vfio_user::{DmaMap, Refusal};

use file::{FileId, MappedFile};
pub(crate) use sigbus::losses;

/// A range of DMA addresses backed by guest memory.
#[derive(Clone)]
struct Range {
    /// The address behind its last byte.
    end: u64,
    /// Where it begins in its file.
    offset: u64,
    writable: bool,
    file: Arc<MappedFile>,
}

/// The ranges that the client has mapped, and whether the device may use them.
///
/// A guest with an IOMMU maps and unmaps pages all the time, by the thousand. So a file is mapped
/// once, whole, and a range is an offset in it: it takes no descriptor and no mapping.
#[derive(Default)]
pub struct Dma {
    /// By first address, without overlaps.
    ranges: BTreeMap<u64, Range>,
    /// The files of the ranges, and those that ranges had until another file came.
    files: HashMap<FileId, Arc<MappedFile>>,
    /// The windows of other GPUs.
    peers: Vec<Arc<Window>>,
    bus_master: bool,
}

impl Dma {
    /// Maps a range of DMA addresses to a file. A range that is refused changes nothing.
    pub fn map(&mut self, map: &DmaMap, file: &OwnedFd) -> Result<(), Refusal> {
        let &DmaMap {
            address,
            size,
            offset,
            write,
            ..
        } = map;
        if size == 0 || (address | size | offset) & (PAGE_SIZE - 1) != 0 {
            return Err(Refusal::invalid(
                "a DMA range that is not a number of whole pages",
            ));
        }
        let end = address.checked_add(size).ok_or_else(wraps)?;
        self.check_free(map)?;
        let file = self.file(file, offset, size, write)?;
        let range = Range {
            end,
            offset,
            writable: write,
            file,
        };
        self.ranges.insert(address, range);
        Ok(())
    }

    /// Fails if any address of a range has memory, or does not exist.
    pub fn check_free(&self, map: &DmaMap) -> Result<(), Refusal> {
        let &DmaMap { address, size, .. } = map;
        let end = end(address, size)?;
        let before = self.ranges.range(..end).next_back();
        if before.is_some_and(|(_, range)| range.end > address) {
            return Err(Refusal::new(
                Errno::EXIST,
                format!("the DMA range {address:#x} to {end:#x} is mapped in part already"),
            ));
        }
        Ok(())
    }

    /// The mapping of a file of which `size` bytes from `offset` are to be reached.
    fn file(
        &mut self,
        file: &OwnedFd,
        offset: u64,
        size: u64,
        write: bool,
    ) -> Result<Arc<MappedFile>, Refusal> {
        let failed = |errno: Errno| Refusal::new(errno, format!("guest memory: {errno}"));
        let (id, length) = file::identify(file).map_err(failed)?;
        let end = offset
            .checked_add(size)
            .filter(|end| *end <= length)
            .ok_or_else(|| {
                Refusal::invalid(format!(
                    "{size:#x} bytes from {offset:#x} of a file of {length:#x} bytes"
                ))
            })?;
        if let Some(known) = self.files.get(&id)
            && known.serves(end, write)
        {
            return Ok(Arc::clone(known));
        }
        let writable = file::is_writable(file).map_err(failed)?;
        if write && !writable {
            return Err(Refusal::new(
                Errno::ACCESS,
                "a file that cannot be written for memory that can",
            ));
        }
        let new = Arc::new(MappedFile::new(file, length, writable).map_err(failed)?);
        // Those that no range has any more have been kept for the next one of the same file.
        self.files.retain(|_, file| Arc::strong_count(file) > 1);
        self.files.insert(id, Arc::clone(&new));
        Ok(new)
    }

    /// Unmaps `size` bytes from `start`.
    pub fn unmap(&mut self, start: u64, size: u64) -> Result<(), Refusal> {
        let end = end(start, size)?;
        if size == 0 {
            return Ok(());
        }
        // Parts outside of the range stay mapped.
        let first = self.ranges.range(..end).next_back();
        if let Some((&from, range)) = first
            && range.end > end
        {
            let rest = Range {
                offset: range.offset + (end - from),
                ..range.clone()
            };
            self.ranges.insert(end, rest);
        }
        if let Some((_, range)) = self.ranges.range_mut(..start).next_back() {
            range.end = range.end.min(start);
        }
        while let Some((&from, _)) = self.ranges.range(start..end).next() {
            self.ranges.remove(&from);
        }
        Ok(())
    }

    /// Unmaps every range, and every file.
    pub fn unmap_all(&mut self) {
        self.ranges.clear();
        self.files.clear();
    }

    /// Sets the windows of other GPUs. Guest memory at the same address takes precedence.
    pub fn set_peers(&mut self, peers: Vec<Arc<Window>>) {
        self.peers = peers;
    }

    /// Allows or forbids all DMA, as the bus master bit of the PCI command register does.
    pub fn set_bus_master(&mut self, allowed: bool) {
        self.bus_master = allowed;
    }

    /// Returns the memory from DMA address `address`, and the path to it: `length` bytes or as many
    /// as its range has; none where the device has no access.
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
        let (start, range) = self.ranges.range(..=address).next_back()?;
        let length = length.min(range.end.checked_sub(address)?);
        if length == 0 || (write && !range.writable) {
            return None;
        }
        range.file.slice(range.offset + (address - start), length)
    }
}

fn wraps() -> Refusal {
    Refusal::invalid("a DMA range wraps")
}

/// The address behind a range. A range may go up to the last address, as that of the upper half of
/// all addresses does, in which there is no memory: its end is then that address.
fn end(start: u64, size: u64) -> Result<u64, Refusal> {
    let Some(last) = size.checked_sub(1) else {
        return Ok(start);
    };
    let last = start.checked_add(last).ok_or_else(wraps)?;
    Ok(last.saturating_add(1))
}

#[cfg(test)]
mod tests;
