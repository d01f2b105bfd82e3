// SPDX-License-Identifier: GPL-2.0

//! A GPU under test, with guest memory, page tables and rings, as a driver has them.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::fs::MemfdFlags;
use softgpu::abi::{limits, pci, pte, regs};
use softgpu::device::{Config, Device};
use softgpu::host::Host;
use softgpu::server::Backend;
use softgpu::vfio_user::{Device as _, DmaMap, DmaUnmap, Refusal};
use tempfile::TempDir;
use vfio_user::Client;
use vm_memory::{Bytes, FileOffset, MmapRegion, VolatileMemory, VolatileSlice};

use crate::stream::Stream;

pub(crate) const BAR0: u32 = pci::BAR_REGS;
pub(crate) const BAR2: u32 = pci::BAR_VRAM;
pub(crate) const CONFIG: u32 = 7;
pub(crate) const MSIX: u32 = 2;

pub(crate) const VRAM_SIZE: u64 = 16 << 20;
pub(crate) const VISIBLE_SIZE: u64 = 8 << 20;
pub(crate) const SCRATCHPAD_SIZE: u64 = 128 << 10;
pub(crate) const RAM_SIZE: u64 = 16 << 20;
/// DMA address of guest memory.
pub(crate) const RAM: u64 = 1 << 32;
/// Where address space 0 has guest memory and VRAM.
pub(crate) const KERNEL_RAM: u64 = 0x40_0000_0000;
pub(crate) const KERNEL_VRAM: u64 = 0x80_0000_0000;
/// Where other address spaces have their indirect buffer.
pub(crate) const USER_IB: u64 = 0x7f00_0000_0000;

pub(crate) const RENDER: usize = 0;
pub(crate) const COPY: usize = 1;
pub(crate) const COPY2: usize = 2;
pub(crate) const ENGINES: usize = 3;

// Guest memory: page tables, rings, fences, write-backs, the indirect buffer, then data.
const RINGS: u64 = 4 << 20;
pub(crate) const RING_SIZE: u32 = 4096;
const FENCES: u64 = 5 << 20;
const WRITEBACKS: u64 = FENCES + 4096;
const IB: u64 = 6 << 20;
const IB_SIZE: u64 = 1 << 20;
/// Offset of guest memory that tests may use.
pub(crate) const DATA: u64 = 8 << 20;

/// Offset of Device Control 2 in configuration space.
const DEVICE_CONTROL_2: u64 = 0x88;

const CONTROL: &str = "control.sock";

/// How long to wait for what must happen. Nothing takes that long, but other work on the machine
/// can hold a thread up for seconds.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long something may take that must not wait for work which takes far longer.
pub(crate) const PROMPT: Duration = Duration::from_secs(20);

/// How the test reaches the device.
enum Link {
    /// Over a socket.
    Client {
        client: Client,
        server: Option<JoinHandle<()>>,
        directory: TempDir,
    },
    /// By calls, for what the client library cannot send.
    Direct(Box<Backend>),
}

/// A fault record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) engine: u32,
    pub(crate) space: u32,
    pub(crate) access: u32,
    pub(crate) reason: u32,
    pub(crate) address: u64,
    pub(crate) tag: u64,
}

/// Size of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PageSize {
    K4,
    K64,
    M2,
}

impl PageSize {
    pub(crate) fn bytes(self) -> u64 {
        match self {
            Self::K4 => limits::PAGE_SIZE,
            Self::K64 => pte::BLOCK_64K_SIZE,
            Self::M2 => pte::BLOCK_2M,
        }
    }
}

pub(crate) struct Gpu {
    link: Link,
    ram_file: File,
    pub(crate) ram: MmapRegion,
    pub(crate) vram: MmapRegion,
    /// Guest memory that page tables have taken.
    tables: u64,
    roots: [u64; limits::ADDRESS_SPACES as usize],
    tails: [u32; ENGINES],
    fences: [u64; ENGINES],
}

/// Sends a command to a control socket and returns its answer.
pub(crate) fn command(control: &Path, command: &str) -> String {
    let mut stream = UnixStream::connect(control).unwrap();
    stream.write_all(format!("{command}\n").as_bytes()).unwrap();
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).unwrap();
    answer.trim_end().to_owned()
}

/// A memory file.
pub(crate) fn memory_file(size: u64) -> File {
    let file = File::from(rustix::fs::memfd_create(c"guest", MemfdFlags::CLOEXEC).unwrap());
    file.set_len(size).unwrap();
    file
}

pub(crate) fn map_file(file: &File, size: u64) -> MmapRegion {
    let file = FileOffset::new(file.try_clone().unwrap(), 0);
    MmapRegion::from_file(file, size as usize).unwrap()
}

impl Gpu {
    /// A powered GPU and nothing else.
    pub(crate) fn bare() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("gpu.sock");
        let config = Config::new(VRAM_SIZE, Some(VISIBLE_SIZE), SCRATCHPAD_SIZE).unwrap();
        let control = directory.path().join(CONTROL);
        let host = Host::new(&[(&socket, config)], Some(&control)).unwrap();
        let server = thread::spawn(move || host.run().unwrap());
        let client = Client::new(&socket).unwrap();
        let file = client.region(BAR2).unwrap().file_offset.clone().unwrap();
        assert_eq!(file.start(), 0);
        let vram = map_file(file.file(), VISIBLE_SIZE);
        Self::with(
            Link::Client {
                client,
                server: Some(server),
                directory,
            },
            vram,
        )
    }

    /// As [`bare`](Self::bare), without the socket.
    pub(crate) fn bare_direct() -> Self {
        let config = Config::new(VRAM_SIZE, Some(VISIBLE_SIZE), SCRATCHPAD_SIZE).unwrap();
        let backend = Box::new(Backend::new(Arc::new(Device::new(config).unwrap())));
        let file = backend.device().vram().fd().try_clone_to_owned().unwrap();
        let file = File::from(file);
        let vram = MmapRegion::build(
            Some(FileOffset::new(file, 0)),
            VISIBLE_SIZE as usize,
            libc::PROT_READ,
            libc::MAP_SHARED,
        )
        .unwrap();
        Self::with(Link::Direct(backend), vram)
    }

    fn with(link: Link, vram: MmapRegion) -> Self {
        let ram_file = memory_file(RAM_SIZE);
        Self {
            link,
            ram: map_file(&ram_file, RAM_SIZE),
            ram_file,
            vram,
            tables: 0,
            roots: Default::default(),
            tails: [0; ENGINES],
            fences: [0; ENGINES],
        }
    }

    /// A GPU that is ready: guest memory, address space 0, all engines.
    pub(crate) fn new() -> Self {
        Self::bare().prepared()
    }

    /// As [`new`](Self::new), without the socket.
    pub(crate) fn direct() -> Self {
        Self::bare_direct().prepared()
    }

    fn prepared(mut self) -> Self {
        let file = self.ram_file.try_clone().unwrap();
        self.dma_map(RAM, RAM_SIZE, 0, &file);
        self.prepare();
        self
    }

    /// Sets the GPU up again, as a driver does after a reset.
    pub(crate) fn prepare(&mut self) {
        self.set_bus_master(true);
        self.tables = 0;
        self.roots = Default::default();
        self.new_space(0);
        let flags = pte::SYSTEM | pte::WRITABLE;
        self.map(0, KERNEL_RAM, RAM, RAM_SIZE, flags, PageSize::K4);
        self.map(0, KERNEL_VRAM, 0, VRAM_SIZE, pte::WRITABLE, PageSize::M2);
        for engine in 0..ENGINES {
            self.start_engine(engine, RING_SIZE);
        }
    }

    // The bus.

    pub(crate) fn region_read(&mut self, region: u32, offset: u64, data: &mut [u8]) {
        match &mut self.link {
            Link::Client { client, .. } => client.region_read(region, offset, data).unwrap(),
            Link::Direct(backend) => backend.region_read(region, offset, data),
        }
    }

    pub(crate) fn region_write(&mut self, region: u32, offset: u64, data: &[u8]) {
        match &mut self.link {
            Link::Client { client, .. } => client.region_write(region, offset, data).unwrap(),
            Link::Direct(backend) => backend.region_write(region, offset, data),
        }
    }

    pub(crate) fn read(&mut self, register: usize) -> u32 {
        let mut data = [0; 4];
        self.region_read(BAR0, register as u64, &mut data);
        u32::from_le_bytes(data)
    }

    pub(crate) fn write(&mut self, register: usize, value: u32) {
        self.region_write(BAR0, register as u64, &value.to_le_bytes());
    }

    pub(crate) fn read_pair(&mut self, low: usize) -> u64 {
        u64::from(self.read(low + 4)) << 32 | u64::from(self.read(low))
    }

    pub(crate) fn write_pair(&mut self, low: usize, value: u64) {
        self.write(low, value as u32);
        self.write(low + 4, (value >> 32) as u32);
    }

    pub(crate) fn config_read(&mut self, offset: u64) -> u32 {
        let mut data = [0; 4];
        self.region_read(CONFIG, offset, &mut data);
        u32::from_le_bytes(data)
    }

    pub(crate) fn config_write(&mut self, offset: u64, value: u32) {
        self.region_write(CONFIG, offset, &value.to_le_bytes());
    }

    pub(crate) fn set_bus_master(&mut self, allowed: bool) {
        self.region_write(CONFIG, 4, &(if allowed { 6u16 } else { 2 }).to_le_bytes());
    }

    /// Sets or clears AtomicOp Requester Enable.
    pub(crate) fn set_system_atomics(&mut self, allowed: bool) {
        let control = if allowed { 1u16 << 6 } else { 0 };
        self.region_write(CONFIG, DEVICE_CONTROL_2, &control.to_le_bytes());
    }

    /// Sends a command to the control socket and returns its answer.
    pub(crate) fn control(&self, command: &str) -> String {
        let Link::Client { directory, .. } = &self.link else {
            panic!("no control socket");
        };
        self::command(&directory.path().join(CONTROL), command)
    }

    pub(crate) fn client(&mut self) -> &mut Client {
        match &mut self.link {
            Link::Client { client, .. } => client,
            Link::Direct(_) => panic!("no client"),
        }
    }

    pub(crate) fn backend(&mut self) -> &mut Backend {
        match &mut self.link {
            Link::Client { .. } => panic!("no backend"),
            Link::Direct(backend) => backend,
        }
    }

    /// Maps a file for reads and writes.
    pub(crate) fn dma_map(&mut self, address: u64, size: u64, offset: u64, file: &File) {
        match &mut self.link {
            Link::Client { client, .. } => client
                .dma_map(offset, address, size, file.as_raw_fd())
                .unwrap(),
            Link::Direct(_) => {
                let map = DmaMap {
                    address,
                    size,
                    offset,
                    read: true,
                    write: true,
                };
                self.try_dma_map(map, Some(file)).unwrap();
            }
        }
    }

    /// Maps memory as a client may ask for it, without the socket.
    pub(crate) fn try_dma_map(&mut self, map: DmaMap, file: Option<&File>) -> Result<(), Refusal> {
        let file = file.map(|file| file.try_clone().unwrap().into());
        self.backend().dma_map(map, file)
    }

    pub(crate) fn dma_unmap(&mut self, address: u64, size: u64) {
        match &mut self.link {
            Link::Client { client, .. } => client.dma_unmap(address, size).unwrap(),
            Link::Direct(backend) => {
                let range = DmaUnmap::Range { address, size };
                backend.dma_unmap(range).unwrap();
            }
        }
    }

    pub(crate) fn device_reset(&mut self) {
        match &mut self.link {
            Link::Client { client, .. } => client.reset().unwrap(),
            Link::Direct(backend) => backend.reset(),
        }
    }

    // Memory.

    pub(crate) fn ram_at(&self, offset: u64, length: usize) -> VolatileSlice<'_> {
        self.ram.get_slice(offset as usize, length).unwrap()
    }

    pub(crate) fn vram_at(&self, offset: u64, length: usize) -> VolatileSlice<'_> {
        self.vram.get_slice(offset as usize, length).unwrap()
    }

    pub(crate) fn ram64(&self, offset: u64) -> u64 {
        self.ram_at(offset, 8).load(0, Ordering::Acquire).unwrap()
    }

    pub(crate) fn set_ram64(&self, offset: u64, value: u64) {
        self.ram_at(offset, 8)
            .store(value, 0, Ordering::Release)
            .unwrap();
    }

    // Page tables, in guest memory.

    /// Gives an address space an empty root; all but space 0 get their indirect buffer.
    pub(crate) fn new_space(&mut self, space: u32) {
        let root = self.new_table();
        self.roots[space as usize] = root;
        self.set_root(space, (RAM + root) | pte::VALID | pte::SYSTEM);
        if space != 0 {
            self.map(
                space,
                USER_IB,
                RAM + IB,
                IB_SIZE,
                pte::SYSTEM,
                PageSize::K64,
            );
        }
    }

    pub(crate) fn set_root(&mut self, space: u32, root: u64) {
        self.write_pair(regs::AS_BASE + space as usize * regs::AS_STRIDE, root);
    }

    pub(crate) fn new_table(&mut self) -> u64 {
        let table = self.tables;
        self.tables += 4096;
        assert!(self.tables <= RINGS);
        self.ram_at(table, 4096).copy_from(&[0u8; 4096]);
        table
    }

    /// Offset in guest memory of the entry of `level` for an address, with the tables above it.
    pub(crate) fn entry(&mut self, space: u32, address: u64, level: u32) -> u64 {
        let mut table = self.roots[space as usize];
        let at = |table, level| table + (address >> (12 + 9 * level) & 511) * 8;
        for upper in (level + 1..pte::LEVELS).rev() {
            let entry = at(table, upper);
            if self.ram64(entry) & pte::VALID == 0 {
                let below = self.new_table();
                self.set_ram64(entry, (RAM + below) | pte::VALID | pte::SYSTEM);
            }
            table = (self.ram64(entry) & pte::ADDRESS) - RAM;
        }
        at(table, level)
    }

    /// Maps memory, without an invalidation.
    pub(crate) fn map(
        &mut self,
        space: u32,
        address: u64,
        target: u64,
        bytes: u64,
        flags: u64,
        size: PageSize,
    ) {
        let (level, step, flags) = match size {
            PageSize::K4 => (0, 4096, flags),
            PageSize::K64 => (0, 4096, flags | pte::BLOCK_64K),
            PageSize::M2 => (1, 2 << 20, flags | pte::LEAF),
        };
        assert_eq!((address | target | bytes) % size.bytes(), 0);
        for at in (0..bytes).step_by(step) {
            let entry = self.entry(space, address + at, level);
            self.set_ram64(entry, (target + at) | flags | pte::VALID);
        }
    }

    /// Queues an invalidation; its number.
    pub(crate) fn start_invalidation(&mut self, space: u32, start: u64, size: u64) -> u32 {
        let seqno = self.read(regs::TLB_SEQNO) + 1;
        self.write_pair(regs::TLB_START_LO, start);
        self.write_pair(regs::TLB_SIZE_LO, size);
        self.write(regs::TLB_SEQNO, seqno);
        self.write(regs::TLB_INVALIDATE, space);
        seqno
    }

    /// Invalidates, and waits until that is done.
    pub(crate) fn invalidate(&mut self, space: u32, start: u64, size: u64) {
        let seqno = self.start_invalidation(space, start, size);
        wait_for("an invalidation", || self.read(regs::TLB_DONE) == seqno);
    }

    // Engines.

    pub(crate) fn engine(&self, engine: usize, register: usize) -> usize {
        regs::ENGINE_BASE + engine * regs::ENGINE_STRIDE + register
    }

    pub(crate) fn read_engine(&mut self, engine: usize, register: usize) -> u32 {
        self.read(self.engine(engine, register))
    }

    pub(crate) fn write_engine(&mut self, engine: usize, register: usize, value: u32) {
        self.write(self.engine(engine, register), value);
    }

    pub(crate) fn ring_address(engine: usize) -> u64 {
        KERNEL_RAM + RINGS + engine as u64 * u64::from(limits::RING_MAX) / 4
    }

    pub(crate) fn start_engine(&mut self, engine: usize, size: u32) {
        self.write_engine(engine, regs::ENGINE_CONTROL, regs::CONTROL_RESET);
        self.write_engine(engine, regs::RING_SIZE, size);
        let base = self.engine(engine, regs::RING_BASE_LO);
        self.write_pair(base, Self::ring_address(engine));
        let writeback = self.engine(engine, regs::WRITEBACK_LO);
        self.write_pair(writeback, KERNEL_RAM + WRITEBACKS + engine as u64 * 8);
        self.write_engine(engine, regs::ENGINE_CONTROL, regs::CONTROL_ENABLE);
        self.tails[engine] = 0;
    }

    pub(crate) fn writeback(&self, engine: usize) -> u64 {
        self.ram64(WRITEBACKS + engine as u64 * 8)
    }

    pub(crate) fn tail(&self, engine: usize) -> u32 {
        self.tails[engine]
    }

    /// Puts packets into a ring, around its end if need be.
    pub(crate) fn submit(&mut self, engine: usize, stream: &Stream) {
        let size = self.read_engine(engine, regs::RING_SIZE);
        assert!(stream.0.len() * 4 < size as usize);
        let ring = Self::ring_address(engine) - KERNEL_RAM;
        for dword in &stream.0 {
            let tail = self.tails[engine];
            self.ram_at(ring + u64::from(tail), 4)
                .write_obj(*dword, 0)
                .unwrap();
            self.tails[engine] = (tail + 4) % size;
        }
        self.write(regs::DOORBELL + engine * 4, self.tails[engine]);
    }

    /// As [`submit`](Self::submit), to an engine that was reset and set up by hand.
    pub(crate) fn start_after_reset(&mut self, engine: usize, stream: &Stream) {
        self.tails[engine] = 0;
        self.submit(engine, stream);
    }

    pub(crate) fn fence_address(engine: usize) -> u64 {
        KERNEL_RAM + FENCES + engine as u64 * 8
    }

    pub(crate) fn fence(&self, engine: usize) -> u64 {
        self.ram64(FENCES + engine as u64 * 8)
    }

    /// Forgets what fences have written, or whatever else is in their place.
    pub(crate) fn clear_fences(&self) {
        for engine in 0..ENGINES as u64 {
            self.set_ram64(FENCES + engine * 8, 0);
        }
    }

    /// Submits packets and a fence; the fence's value.
    pub(crate) fn start(&mut self, engine: usize, stream: Stream) -> u64 {
        self.fences[engine] += 1;
        let value = self.fences[engine];
        let stream = stream.fence(Self::fence_address(engine), value, false);
        self.submit(engine, &stream);
        value
    }

    pub(crate) fn finish(&self, engine: usize, value: u64) {
        wait_for("a fence", || self.fence(engine) >= value);
    }

    /// Runs packets to their end.
    pub(crate) fn run(&mut self, engine: usize, stream: Stream) {
        let value = self.start(engine, stream);
        self.finish(engine, value);
    }

    /// Starts packets as an indirect buffer in an address space; the value of its fence.
    pub(crate) fn start_ib(&mut self, engine: usize, space: u32, stream: &Stream, tag: u64) -> u64 {
        let bytes: Vec<u8> = stream
            .0
            .iter()
            .flat_map(|dword| dword.to_le_bytes())
            .collect();
        self.ram_at(IB, IB_SIZE as usize).copy_from(&bytes);
        let length = stream.0.len() as u32;
        self.start(engine, Stream::new().indirect(space, length, USER_IB, tag))
    }

    /// Runs packets as an indirect buffer in an address space, to their end.
    pub(crate) fn run_ib(&mut self, engine: usize, space: u32, stream: &Stream, tag: u64) {
        let value = self.start_ib(engine, space, stream, tag);
        self.finish(engine, value);
    }

    pub(crate) fn busy(&mut self, engine: usize) -> bool {
        self.read_engine(engine, regs::ENGINE_STATUS) & regs::STATUS_BUSY != 0
    }

    pub(crate) fn halted(&mut self, engine: usize) -> bool {
        self.read_engine(engine, regs::ENGINE_STATUS) & regs::STATUS_HALTED != 0
    }

    pub(crate) fn wait_idle(&mut self, engine: usize) {
        wait_for("an idle engine", || !self.busy(engine));
    }

    /// Waits until a fault of the ring has stopped an engine, and its record is in the queue: the
    /// halt shows first, and the engine is busy until the record is there too.
    pub(crate) fn wait_halted(&mut self, engine: usize) {
        wait_for("a halt", || self.halted(engine));
        self.wait_idle(engine);
    }

    // Faults.

    pub(crate) fn fault(&mut self) -> Option<Fault> {
        if self.read(regs::FAULT_COUNT) == 0 {
            return None;
        }
        let info = self.read(regs::FAULT_INFO);
        let fault = Fault {
            engine: info & 0xff,
            space: info >> 8 & 0xff,
            access: info >> 16 & 0xf,
            reason: info >> 20 & 0xff,
            address: self.read_pair(regs::FAULT_ADDR_LO),
            tag: self.read_pair(regs::FAULT_TAG_LO),
        };
        assert_eq!(info >> 28, 0);
        self.write(regs::FAULT_POP, 0);
        Some(fault)
    }

    #[track_caller]
    pub(crate) fn assert_no_fault(&mut self) {
        assert_eq!(self.fault(), None);
    }
}

impl Drop for Gpu {
    fn drop(&mut self) {
        if let Link::Client { client, server, .. } = &mut self.link {
            client.shutdown().unwrap();
            let served = server.take().map(JoinHandle::join);
            if !thread::panicking() {
                served.unwrap().unwrap();
            }
        }
    }
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "no {what} for {PATIENCE:?}");
        thread::sleep(Duration::from_micros(50));
    }
}

/// Bytes without a pattern that a bug could hit by chance.
pub(crate) fn random_bytes(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .collect()
}

/// Whole content of a piece of memory.
pub(crate) fn content(slice: VolatileSlice<'_>) -> Vec<u8> {
    let mut bytes = vec![0; slice.len()];
    slice.copy_to(&mut bytes);
    bytes
}
