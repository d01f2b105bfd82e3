// SPDX-License-Identifier: GPL-2.0

//! Random registers, packets and page tables: the device survives, and memory that it was not
//! given stays as it was.

use std::fs::File;
use std::thread;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use softgpu::abi::packet::header;
use softgpu::abi::{limits, pci, pte, regs};
use softgpu::vfio_user::DmaMap;
use vm_memory::{Bytes, MmapRegion, VolatileMemory};

use crate::gpu::{
    BAR0, BAR2, CONFIG, ENGINES, Gpu, KERNEL_RAM, RAM, RAM_SIZE, SCRATCHPAD_SIZE, VRAM_SIZE,
    content, map_file, memory_file,
};
use crate::stream::Stream;

const TIME: Duration = Duration::from_secs(8);
const PAGE: u64 = limits::PAGE_SIZE;
const SPACE: u32 = 4;

/// One thing that a guest does.
#[derive(Clone, Debug)]
enum Step {
    Register(usize, u32),
    Access {
        region: u32,
        offset: u64,
        data: Vec<u8>,
    },
    Entry(u64, u64),
    Packets(usize, Vec<u32>),
    Buffer(usize, Vec<u32>),
    Unmap(u64, u64),
    Map(u64, u64),
}

fn register() -> impl Strategy<Value = usize> {
    let at = |block: usize, stride: usize, count: usize| {
        (0..count, 0..stride / 4).prop_map(move |(n, r)| block + n * stride + r * 4)
    };
    prop_oneof![
        2 => at(0, 0x400, 1),
        2 => at(regs::AS_BASE, regs::AS_STRIDE, limits::ADDRESS_SPACES as usize),
        8 => (0..ENGINES, 0..0x30usize / 4)
            .prop_map(|(n, r)| regs::ENGINE_BASE + n * regs::ENGINE_STRIDE + r * 4),
        3 => at(regs::DOORBELL, 4 * ENGINES, 1),
        1 => at(0, pci::BAR_REGS_SIZE, 1),
    ]
}

fn value() -> impl Strategy<Value = u32> {
    prop_oneof![
        any::<u32>(),
        0..16u32,
        (0..32u32).prop_map(|bit| 1 << bit),
        (0..1024u32).prop_map(|dword| dword * 4),
        Just(regs::RESET_MAGIC),
    ]
}

/// Addresses near what is mapped, near edges, and anywhere.
fn address() -> impl Strategy<Value = u64> {
    prop_oneof![
        6 => (0..RAM_SIZE).prop_map(|at| KERNEL_RAM + at),
        2 => (0..RAM_SIZE).prop_map(|at| KERNEL_RAM + (at & !7)),
        2 => (0..16u64, 0..64u64).prop_map(|(page, at)| (1 << 21 << page) + at * 8 - 256),
        1 => (0..1024u64).prop_map(|at| (1 << limits::VA_BITS) - at),
        1 => any::<u64>(),
    ]
}

fn bytes() -> impl Strategy<Value = u64> {
    prop_oneof![0..256u64, (0..64u64).prop_map(|n| n * 4096), any::<u64>()]
}

fn packet() -> impl Strategy<Value = Vec<u32>> {
    let good = (
        0..16u32,
        address(),
        address(),
        bytes(),
        any::<u32>(),
        prop::array::uniform4(value()),
    )
        .prop_map(|(kind, one, two, bytes, data, numbers)| {
            let stream = Stream::new();
            match kind {
                0 => stream.copy(one, two, bytes),
                1 => stream.fill(one & !3, bytes & !3, data),
                2 => stream.write(one & !3, &numbers),
                3 => stream.checksum(one & !3, bytes & !3, two & !7),
                4 => stream.rect_fill(one & !3, data & !3, numbers, data),
                5 => stream.fence(one & !7, bytes, true),
                6 => stream.wait(one & !7, bytes & 1),
                7 => stream.tlb_invalidate(data % limits::ADDRESS_SPACES, one, bytes),
                8 => stream.indirect(data % limits::ADDRESS_SPACES, numbers[0], one & !3, two),
                9 => stream.copy_rows((one, numbers[0]), (two, numbers[1]), data, numbers[2]),
                10 => stream.atomic_add(one & !7, bytes, two & !7),
                11 => stream.atomic_swap(one & !7, 0, bytes, two & !7),
                12 => {
                    let small = numbers.map(|number| number % 512);
                    let to = (two & !3, bytes as u32 & 0xfffc, small);
                    stream.blit((one & !3, data & !3, numbers), to, data & 1)
                }
                13 => {
                    let place = |number: u32| f64::from(number as i16);
                    let corner = |n: usize| (place(numbers[n]), place(numbers[n + 1]), data);
                    let corners = [corner(0), corner(1), corner(2)];
                    let size = [data % 512, data >> 8 & 511];
                    stream.triangle((one & !3, data & !3), size, corners, data & 1)
                }
                14 => stream.timestamp(one & !7),
                _ => stream.nop(data % 32 + 1),
            }
            .0
        });
    let random = (
        prop_oneof![0..0x24u32, any::<u32>()],
        0..3u32,
        prop::collection::vec(any::<u32>(), 0..12),
    )
        .prop_map(|(opcode, flags, operands)| {
            let mut packet = vec![header(opcode, flags, operands.len() as u32 + 1)];
            packet.extend(operands);
            packet
        });
    let raw = prop::collection::vec(value(), 1..8);
    prop_oneof![8 => good, 2 => random, 1 => raw]
}

fn packets() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(packet(), 1..12).prop_map(|packets| packets.concat())
}

/// An entry, and where in the page tables to put it.
fn entry() -> impl Strategy<Value = (u64, u64)> {
    let target = prop_oneof![
        (0..RAM_SIZE / PAGE).prop_map(|page| (RAM + page * PAGE) | pte::SYSTEM),
        (0..RAM_SIZE >> 21).prop_map(|block| (RAM + (block << 21)) | pte::SYSTEM | pte::LEAF),
        (0..2 * VRAM_SIZE / PAGE).prop_map(|page| page * PAGE),
        (0..2 * SCRATCHPAD_SIZE / PAGE).prop_map(|page| (page * PAGE) | pte::SCRATCHPAD),
        // The guest's memory that is not the device's.
        (0..64u64).prop_map(|page| (RAM + RAM_SIZE + page * PAGE) | pte::SYSTEM),
        (1..64u64).prop_map(|page| (RAM - page * PAGE) | pte::SYSTEM),
        any::<u64>(),
    ];
    let flags = prop_oneof![
        4 => Just(pte::VALID | pte::WRITABLE),
        1 => Just(pte::VALID),
        1 => Just(pte::VALID | pte::WRITABLE | pte::SPARSE),
        1 => Just(pte::VALID | pte::WRITABLE | pte::BLOCK_64K),
        1 => 0..128u64,
    ];
    (0..(64u64 << 10) / 8, target, flags).prop_map(|(at, target, flags)| (at * 8, target | flags))
}

fn step() -> impl Strategy<Value = Step> {
    let region = prop_oneof![Just(BAR0), Just(BAR2), Just(CONFIG), 0..12u32];
    let offset = prop_oneof![0..0x1000u64, 0..0x1_0100u64, any::<u64>()];
    let range = || (0..RAM_SIZE / PAGE, 0..64u64).prop_map(|(at, pages)| (at * PAGE, pages * PAGE));
    prop_oneof![
        6 => (register(), value()).prop_map(|(at, value)| Step::Register(at, value)),
        1 => (region, offset, prop::collection::vec(any::<u8>(), 0..16))
            .prop_map(|(region, offset, data)| Step::Access { region, offset, data }),
        6 => entry().prop_map(|(at, entry)| Step::Entry(at, entry)),
        6 => (0..ENGINES, packets()).prop_map(|(engine, dwords)| Step::Packets(engine, dwords)),
        6 => (0..ENGINES, packets()).prop_map(|(engine, dwords)| Step::Buffer(engine, dwords)),
        1 => range().prop_map(|(at, size)| Step::Unmap(at, size)),
        1 => range().prop_map(|(at, size)| Step::Map(at, size)),
    ]
}

/// Memory of the guest before and behind what the device was given, in the same file, and of the
/// process on both sides of it.
struct Guarded {
    gpu: Gpu,
    all: MmapRegion,
    file: File,
}

const GUARD: u64 = 1 << 20;

impl Guarded {
    fn new() -> Self {
        let file = memory_file(RAM_SIZE + 2 * GUARD);
        let all = map_file(&file, RAM_SIZE + 2 * GUARD);
        for offset in [0, GUARD + RAM_SIZE] {
            all.get_slice(offset as usize, GUARD as usize)
                .unwrap()
                .copy_from(&vec![0x5au8; GUARD as usize]);
        }
        let mut gpu = Gpu::bare_direct();
        gpu.dma_map(RAM, RAM_SIZE, GUARD, &file);
        gpu.ram = map_file_at(&file, GUARD, RAM_SIZE);
        gpu.prepare();
        Self { gpu, all, file }
    }

    fn check(&self) {
        for offset in [0, GUARD + RAM_SIZE] {
            let guard = self.all.get_slice(offset as usize, GUARD as usize).unwrap();
            assert!(
                content(guard).iter().all(|byte| *byte == 0x5a),
                "memory outside the device's reach was written"
            );
        }
    }

    /// Brings the device back to where packets run.
    fn recover(&mut self) {
        let gpu = &mut self.gpu;
        // Powered, whatever was done to the power state.
        gpu.config_write(0x44, 0);
        gpu.write(regs::RESET, regs::RESET_MAGIC);
        gpu.dma_unmap(RAM, RAM_SIZE);
        gpu.dma_map(RAM, RAM_SIZE, GUARD, &self.file);
        gpu.prepare();
        gpu.clear_fences();
        gpu.new_space(SPACE);
        let root = regs::AS_BASE + SPACE as usize * regs::AS_STRIDE;
        // The kernel's tables: what is random there is seen by both.
        let kernel = gpu.read_pair(regs::AS_BASE);
        gpu.write_pair(root, kernel);
    }

    fn submit(&mut self, engine: usize, dwords: &[u32]) {
        let stream = Stream(dwords.to_vec());
        if self.gpu.read(self.gpu.engine(engine, regs::RING_SIZE)) == crate::gpu::RING_SIZE {
            self.gpu.submit(engine, &stream);
        }
    }

    fn apply(&mut self, step: &Step) {
        match step {
            Step::Register(at, value) => {
                self.gpu.write(*at, *value);
                self.gpu.read(*at);
            }
            Step::Access {
                region,
                offset,
                data,
            } => {
                self.gpu.region_write(*region, *offset, data);
                let mut data = data.clone();
                self.gpu.region_read(*region, *offset, &mut data);
            }
            Step::Entry(at, entry) => self.gpu.set_ram64(*at, *entry),
            Step::Packets(engine, dwords) => self.submit(*engine, dwords),
            Step::Buffer(engine, dwords) => {
                let bytes: Vec<u8> = dwords
                    .iter()
                    .flat_map(|dword| dword.to_le_bytes())
                    .collect();
                self.gpu.ram_at(7 << 20, bytes.len()).copy_from(&bytes);
                let buffer = KERNEL_RAM + (7 << 20);
                let length = dwords.len() as u32;
                let stream = Stream::new().indirect(SPACE, length, buffer, 1);
                self.submit(*engine, &stream.0);
            }
            Step::Unmap(at, size) => self.gpu.dma_unmap(RAM + at, *size),
            Step::Map(at, size) => {
                let map = DmaMap {
                    address: RAM + at,
                    size: (*size).min(RAM_SIZE - at),
                    offset: GUARD + at,
                    read: true,
                    write: true,
                };
                // Ranges that are empty, or not free, are refused, which is right.
                let _ = self.gpu.try_dma_map(map, Some(&self.file));
            }
        }
    }
}

fn map_file_at(file: &File, offset: u64, size: u64) -> MmapRegion {
    let file = vm_memory::FileOffset::new(file.try_clone().unwrap(), offset);
    MmapRegion::from_file(file, size as usize).unwrap()
}

/// Shows what was done if it ends badly.
struct History<'a>(&'a [Step]);

impl Drop for History<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{:#?}", self.0);
        }
    }
}

#[test]
fn random_guests_cannot_break_out() {
    let mut runner = TestRunner::new(Config::default());
    let steps = prop::collection::vec(step(), 1..60);
    let mut guarded = Guarded::new();
    let start = Instant::now();
    let mut rounds = 0;
    while start.elapsed() < TIME || rounds <= 10 {
        guarded.recover();
        let steps = steps.new_tree(&mut runner).unwrap().current();
        let history = History(&steps);
        for step in history.0 {
            guarded.apply(step);
        }
        if rounds % 16 == 0 {
            guarded.check();
        }
        rounds += 1;
    }
    guarded.check();
    // It still works.
    guarded.recover();
    let gpu = &mut guarded.gpu;
    gpu.run(0, Stream::new().write(KERNEL_RAM + (8 << 20), &[rounds]));
    let seen: u32 = gpu.ram_at(8 << 20, 4).read_obj(0).unwrap();
    assert_eq!(seen, rounds);
}
