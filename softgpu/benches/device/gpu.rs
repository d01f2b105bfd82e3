// SPDX-License-Identifier: GPL-2.0

//! The GPU behind its socket, set up as a driver does it: guest memory, address space 0 with page
//! tables in guest memory, the ring of a copy engine.

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fs::MemfdFlags;
use softgpu::abi::{limits, pci, pte, regs};
use softgpu::device::Config;
use softgpu::host::Host;
use tempfile::TempDir;
use vfio_user::Client;
use vm_memory::{Bytes, FileOffset, MmapRegion, VolatileMemory};

use crate::stream::Stream;

/// Bytes of either half of the data in each memory: copies go from the first to the second.
pub(crate) const HALF: u64 = 64 << 20;

const VRAM_SIZE: u64 = 2 * HALF;
/// Guest memory: page tables, the ring, the fence and the write-back; then data.
const RING: u64 = 8 << 20;
const FENCE: u64 = 12 << 20;
const WRITEBACK: u64 = FENCE + 8;
const SUM: u64 = FENCE + 16;
const DATA: u64 = 16 << 20;
const RAM_SIZE: u64 = DATA + 2 * HALF;
/// The DMA address of guest memory.
const RAM: u64 = 1 << 32;
/// Where address space 0 has guest memory, the data in it page by page in no order, and VRAM.
const KERNEL_RAM: u64 = 0x40_0000_0000;
const KERNEL_SCATTERED: u64 = 0x60_0000_0000;
const KERNEL_VRAM: u64 = 0x80_0000_0000;

const ENGINE: usize = 1;
const RING_SIZE: u32 = limits::RING_MAX;
const VECTOR: u32 = regs::VECTOR_ENGINE0 + ENGINE as u32;
const MSIX: u32 = 2;
const CONFIG: u32 = 7;

/// Ends what hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A memory as an engine reaches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Memory {
    /// VRAM, in pages of 2 MiB.
    Vram,
    /// System memory in pages of 64 KiB, one after the other.
    System,
    /// System memory in pages of 4 KiB, none of which is the next one's neighbour.
    Scattered,
}

impl Memory {
    /// The GPU's address of the data.
    pub(crate) fn address(self) -> u64 {
        match self {
            Self::Vram => KERNEL_VRAM,
            Self::System => KERNEL_RAM + DATA,
            Self::Scattered => KERNEL_SCATTERED,
        }
    }
}

/// A GPU that is ready.
pub(crate) struct Gpu {
    client: Client,
    server: Option<JoinHandle<Result<()>>>,
    _directory: TempDir,
    ram: MmapRegion,
    vram: MmapRegion,
    /// Bytes that page tables have taken.
    tables: u64,
    root: u64,
    tail: u32,
    fence: u64,
    event: OwnedFd,
}

impl Gpu {
    /// Powers a GPU on and sets it up.
    pub(crate) fn new() -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let socket = directory.path().join("gpu.sock");
        let config = Config::new(VRAM_SIZE, None, 0)?;
        let host = Host::new(&[(&socket, config)], None)?;
        let server = thread::spawn(move || host.run());
        let mut client = Client::new(&socket).map_err(|error| anyhow!("no client: {error}"))?;
        let window = client
            .region(pci::BAR_VRAM)
            .and_then(|region| region.file_offset.clone())
            .context("VRAM has no file")?;
        let vram = MmapRegion::from_file(window, VRAM_SIZE as usize)?;
        let file = File::from(rustix::fs::memfd_create(c"guest", MemfdFlags::CLOEXEC)?);
        file.set_len(RAM_SIZE)?;
        client
            .dma_map(0, RAM, RAM_SIZE, file.as_raw_fd())
            .map_err(|error| anyhow!("no guest memory: {error}"))?;
        let ram = MmapRegion::from_file(FileOffset::new(file, 0), RAM_SIZE as usize)?;
        let mut gpu = Self {
            client,
            server: Some(server),
            _directory: directory,
            ram,
            vram,
            tables: 0,
            root: 0,
            tail: 0,
            fence: 0,
            event: eventfd(0, EventfdFlags::CLOEXEC)?,
        };
        gpu.set_up()?;
        Ok(gpu)
    }

    fn set_up(&mut self) -> Result<()> {
        // Memory space and bus master.
        self.client
            .region_write(CONFIG, 4, &6u16.to_le_bytes())
            .map_err(|error| anyhow!("no bus master: {error}"))?;
        // Every page is there before anything is measured.
        for memory in [&self.ram, &self.vram] {
            for at in (0..memory.size()).step_by(limits::PAGE_SIZE as usize) {
                memory.get_slice(at, 1)?.write_obj(1u8, 0)?;
            }
        }
        self.store(FENCE, 0)?;
        self.map_all()?;

        self.write(regs::INT_ENABLE, 1 << VECTOR)?;
        let flags = vfio_bindings::bindings::vfio::VFIO_IRQ_SET_DATA_EVENTFD
            | vfio_bindings::bindings::vfio::VFIO_IRQ_SET_ACTION_TRIGGER;
        self.client
            .set_irqs(MSIX, flags, VECTOR, 1, &[self.event.as_raw_fd()])
            .map_err(|error| anyhow!("no interrupts: {error}"))?;

        let register = |offset| regs::ENGINE_BASE + ENGINE * regs::ENGINE_STRIDE + offset;
        self.write(register(regs::RING_SIZE), RING_SIZE)?;
        self.write_pair(register(regs::RING_BASE_LO), KERNEL_RAM + RING)?;
        self.write_pair(register(regs::WRITEBACK_LO), KERNEL_RAM + WRITEBACK)?;
        self.write(register(regs::ENGINE_CONTROL), regs::CONTROL_ENABLE)
    }

    fn map_all(&mut self) -> Result<()> {
        self.root = self.new_table()?;
        let system = pte::SYSTEM | pte::WRITABLE;
        for at in (0..RAM_SIZE).step_by(limits::PAGE_SIZE as usize) {
            let entry = (RAM + at) | system | pte::BLOCK_64K;
            self.map(KERNEL_RAM + at, 0, entry)?;
        }
        let pages = HALF / limits::PAGE_SIZE;
        for half in [0, HALF] {
            for page in 0..pages {
                // A step that is odd visits every page of a power of two.
                let to = half + page * 4099 % pages * limits::PAGE_SIZE;
                let from = half + page * limits::PAGE_SIZE;
                self.map(KERNEL_SCATTERED + from, 0, (RAM + DATA + to) | system)?;
            }
        }
        for at in (0..VRAM_SIZE).step_by(pte::BLOCK_2M as usize) {
            self.map(KERNEL_VRAM + at, 1, at | pte::WRITABLE | pte::LEAF)?;
        }
        let root = (RAM + self.root) | pte::VALID | pte::SYSTEM;
        self.write_pair(regs::AS_BASE, root)
    }

    fn new_table(&mut self) -> Result<u64> {
        let table = self.tables;
        self.tables += limits::PAGE_SIZE;
        ensure!(self.tables <= RING, "no room for page tables");
        let zeros = [0u8; limits::PAGE_SIZE as usize];
        self.ram
            .get_slice(table as usize, zeros.len())?
            .copy_from(&zeros);
        Ok(table)
    }

    /// Writes the entry of `level` for an address, and the tables above it.
    fn map(&mut self, address: u64, level: u32, entry: u64) -> Result<()> {
        let at = |table, level| table + (address >> (12 + 9 * level) & 511) * 8;
        let mut table = self.root;
        for upper in (level + 1..pte::LEVELS).rev() {
            let above = at(table, upper);
            if self.load(above)? & pte::VALID == 0 {
                let below = self.new_table()?;
                self.store(above, (RAM + below) | pte::VALID | pte::SYSTEM)?;
            }
            table = (self.load(above)? & pte::ADDRESS) - RAM;
        }
        self.store(at(table, level), entry | pte::VALID)
    }

    fn load(&self, offset: u64) -> Result<u64> {
        Ok(self
            .ram
            .as_volatile_slice()
            .load(offset as usize, Ordering::Acquire)?)
    }

    fn store(&self, offset: u64, value: u64) -> Result<()> {
        let ram = self.ram.as_volatile_slice();
        Ok(ram.store(value, offset as usize, Ordering::Release)?)
    }

    /// The data of a memory in this process: two halves, one after the other.
    pub(crate) fn data(&self, memory: Memory) -> *mut u8 {
        match memory {
            Memory::Vram => self.vram.as_ptr(),
            // The memory is as long as its map.
            Memory::System | Memory::Scattered => self.ram.as_ptr().wrapping_add(DATA as usize),
        }
    }

    /// Where a checksum may go.
    pub(crate) fn sum_address(&self) -> u64 {
        KERNEL_RAM + SUM
    }

    /// Reads a register.
    pub(crate) fn read(&mut self, register: usize) -> Result<u32> {
        let mut data = [0; 4];
        self.client
            .region_read(pci::BAR_REGS, register as u64, &mut data)
            .map_err(|error| anyhow!("cannot read {register:#x}: {error}"))?;
        Ok(u32::from_le_bytes(data))
    }

    fn write(&mut self, register: usize, value: u32) -> Result<()> {
        self.client
            .region_write(pci::BAR_REGS, register as u64, &value.to_le_bytes())
            .map_err(|error| anyhow!("cannot write {register:#x}: {error}"))
    }

    fn write_pair(&mut self, low: usize, value: u64) -> Result<()> {
        self.write(low, value as u32)?;
        self.write(low + 4, (value >> 32) as u32)
    }

    /// Tells the engine how far its ring is filled.
    pub(crate) fn ring_doorbell(&mut self) -> Result<()> {
        self.write(regs::DOORBELL + ENGINE * 4, self.tail)
    }

    /// Puts packets and a fence into the ring.
    pub(crate) fn put(&mut self, mut stream: Stream, irq: bool) -> Result<()> {
        self.fence += 1;
        stream.fence(KERNEL_RAM + FENCE, self.fence, irq);
        ensure!(
            stream.dwords().len() * 4 < RING_SIZE as usize,
            "too many packets"
        );
        for dword in stream.dwords() {
            let at = (RING + u64::from(self.tail)) as usize;
            self.ram.get_slice(at, 4)?.write_obj(*dword, 0)?;
            self.tail = (self.tail + 4) % RING_SIZE;
        }
        Ok(())
    }

    /// Waits for the last fence by looking at it.
    pub(crate) fn poll_fence(&mut self) -> Result<()> {
        let start = Instant::now();
        while self.load(FENCE)? < self.fence {
            if start.elapsed() > PATIENCE {
                let faults = self.read(regs::FAULT_COUNT)?;
                bail!("no fence for {PATIENCE:?}, {faults} faults");
            }
            thread::yield_now();
        }
        Ok(())
    }

    /// Waits for the engine's interrupt.
    pub(crate) fn wait_interrupt(&mut self) -> Result<()> {
        let patience = Timespec::try_from(PATIENCE)?;
        let ready = poll(
            &mut [PollFd::new(&self.event, PollFlags::IN)],
            Some(&patience),
        )?;
        ensure!(ready == 1, "no interrupt for {PATIENCE:?}");
        rustix::io::read(&self.event, &mut [0; 8])?;
        Ok(())
    }
}

impl Drop for Gpu {
    fn drop(&mut self) {
        // The server ends with its client; what it has to say is of no use any more.
        let _ = self.client.shutdown();
        if let Some(server) = self.server.take() {
            let _ = server.join();
        }
    }
}
