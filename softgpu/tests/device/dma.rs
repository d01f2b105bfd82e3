// SPDX-License-Identifier: GPL-2.0

//! Guest memory that comes and goes.

use softgpu::abi::{fault, pte, regs};
use softgpu::vfio_user::{Device as _, DmaMap, DmaUnmap};
use vm_memory::{Bytes, VolatileMemory};

use crate::gpu::{COPY, Gpu, PageSize, content, map_file, memory_file};
use crate::stream::Stream;

const SPACE: u32 = 2;
const EXTRA: u64 = 0x8_0000_0000;
const SIZE: u64 = 4 << 20;
const VA: u64 = 0x5000_0000_0000;

fn user(mut gpu: Gpu) -> Gpu {
    gpu.new_space(SPACE);
    let flags = pte::SYSTEM | pte::WRITABLE;
    gpu.map(SPACE, VA, EXTRA, SIZE, flags, PageSize::M2);
    gpu
}

/// All of the extra memory, from an offset in its file.
fn extra(offset: u64, write: bool) -> DmaMap {
    DmaMap {
        address: EXTRA,
        size: SIZE,
        offset,
        read: true,
        write,
    }
}

fn fill(gpu: &mut Gpu, pattern: u32) -> Option<u32> {
    gpu.run_ib(COPY, SPACE, &Stream::new().fill(VA, SIZE, pattern), 1);
    gpu.fault().map(|fault| fault.reason)
}

#[test]
fn ranges_are_mapped_and_unmapped() {
    let mut gpu = user(Gpu::new());
    let file = memory_file(2 * SIZE);
    let memory = map_file(&file, 2 * SIZE);
    let word = |offset: u64| {
        memory
            .as_volatile_slice()
            .read_obj(offset as usize)
            .unwrap()
    };
    for round in 1..50u32 {
        assert_eq!(fill(&mut gpu, round), Some(fault::BAD_ADDRESS));
        gpu.dma_map(EXTRA, SIZE, SIZE, &file);
        assert_eq!(fill(&mut gpu, round), None);
        assert_eq!((word(SIZE), word(2 * SIZE - 4)), (round, round));
        gpu.dma_unmap(EXTRA, SIZE);
    }
    assert_eq!((word(0), word(SIZE - 4)), (0u32, 0u32));
}

#[test]
fn accesses_cross_ranges() {
    let mut gpu = user(Gpu::new());
    let files = [memory_file(SIZE), memory_file(SIZE)];
    let half = SIZE / 2;
    gpu.dma_map(EXTRA + half, half, 0, &files[1]);
    gpu.dma_map(EXTRA, half, 4096, &files[0]);
    assert_eq!(fill(&mut gpu, 3), None);
    let first = map_file(&files[0], SIZE);
    let bytes = content(first.as_volatile_slice());
    let (before, rest) = bytes.split_at(4096);
    let (filled, after) = rest.split_at(half as usize);
    assert!(before.iter().chain(after).all(|byte| *byte == 0));
    assert_eq!(filled, 3u32.to_le_bytes().repeat(half as usize / 4));

    gpu.dma_unmap(EXTRA + half, half);
    gpu.run_ib(COPY, SPACE, &Stream::new().fill(VA, SIZE, 4), 1);
    assert_eq!(gpu.fault().unwrap().address, VA + half);
}

#[test]
fn nothing_is_touched_after_an_unmapping() {
    let mut gpu = user(Gpu::new());
    let file = memory_file(SIZE);
    let memory = map_file(&file, SIZE);
    gpu.dma_map(EXTRA, SIZE, 0, &file);
    // Far more than is done before the fault, which ends it.
    let stream = (0..40_000).fold(Stream::new(), |stream, _| {
        stream.fill(VA, SIZE, 0xaaaa_aaaa)
    });
    for round in 0..20 {
        let value = gpu.start_ib(COPY, SPACE, &stream, 1);
        std::thread::sleep(std::time::Duration::from_micros(500 * (round % 4)));
        gpu.dma_unmap(EXTRA, SIZE);
        let untouched = vec![0x55u8; SIZE as usize];
        memory.as_volatile_slice().copy_from(&untouched);
        gpu.finish(COPY, value);
        assert!(
            content(memory.as_volatile_slice()) == untouched,
            "round {round}"
        );
        assert_eq!(gpu.fault().unwrap().reason, fault::BAD_ADDRESS);
        gpu.dma_map(EXTRA, SIZE, 0, &file);
    }
}

#[test]
fn read_only_ranges() {
    let mut gpu = user(Gpu::direct());
    let file = memory_file(SIZE);
    let memory = map_file(&file, SIZE);
    memory.as_volatile_slice().write_obj(0x1234u32, 0).unwrap();
    gpu.try_dma_map(extra(0, false), Some(&file)).unwrap();
    let stream = Stream::new().copy(VA, VA + 64, 4);
    gpu.run_ib(COPY, SPACE, &stream, 1);
    let fault = gpu.fault().unwrap();
    assert_eq!((fault.address, fault.reason), (VA + 64, fault::BAD_ADDRESS));
    assert_eq!(fault.access, fault::ACCESS_WRITE);
    let vram = 0x6000_0000_0000;
    gpu.map(SPACE, vram, 0, 4096, pte::WRITABLE, PageSize::K4);
    gpu.run_ib(COPY, SPACE, &Stream::new().copy(VA, vram, 4), 1);
    gpu.assert_no_fault();
    assert_eq!(gpu.vram_at(0, 4).read_obj::<u32>(0).unwrap(), 0x1234);
}

#[test]
fn unreachable_ranges() {
    let mut gpu = user(Gpu::direct());
    let file = memory_file(SIZE);
    // A range without memory is not refused, and takes no other's place.
    gpu.try_dma_map(extra(0, true), None).unwrap();
    assert_eq!(fill(&mut gpu, 1), Some(fault::BAD_ADDRESS));
    gpu.dma_map(EXTRA, SIZE, 0, &file);
    assert_eq!(fill(&mut gpu, 1), None);
    for file in [None, Some(&file)] {
        assert!(gpu.try_dma_map(extra(0, true), file).is_err());
    }
    assert_eq!(fill(&mut gpu, 2), None);
    gpu.dma_unmap(EXTRA, SIZE);
    // One that is larger than its file is refused rather than a signal later.
    assert!(gpu.try_dma_map(extra(4096, true), Some(&file)).is_err());
    // All at once.
    gpu.dma_map(EXTRA, SIZE, 0, &file);
    gpu.backend().dma_unmap(DmaUnmap::All).unwrap();
    gpu.submit(COPY, &Stream::new().nop(1));
    gpu.wait_idle(COPY);
    assert_eq!(gpu.read(regs::FAULT_COUNT), 1);
    assert!(gpu.halted(COPY));
}

#[test]
fn memory_that_is_cut_off_faults() {
    let mut gpu = user(Gpu::new());
    gpu.set_system_atomics(true);
    let file = memory_file(SIZE);
    gpu.dma_map(EXTRA, SIZE, 0, &file);
    assert_eq!(fill(&mut gpu, 1), None);
    file.set_len(SIZE / 2).unwrap();
    // The device finds out in the middle, and neither it nor other memory is the worse for it.
    gpu.run_ib(COPY, SPACE, &Stream::new().fill(VA, SIZE, 2), 1);
    let fault = gpu.fault().unwrap();
    assert_eq!(fault.reason, fault::BAD_ADDRESS);
    assert_eq!(fault.access, fault::ACCESS_WRITE);
    assert!((VA..VA + SIZE).contains(&fault.address));
    assert_eq!(fill(&mut gpu, 3), Some(fault::BAD_ADDRESS));

    // Every other way to memory tells, too: words, and reads.
    for (number, stream) in [
        Stream::new().checksum(VA, 8, VA + SIZE - 8),
        Stream::new().copy(VA + SIZE - 8, VA, 8),
        Stream::new().atomic_add(VA + SIZE - 8, 1, 0),
    ]
    .iter()
    .enumerate()
    {
        gpu.dma_unmap(EXTRA, SIZE);
        file.set_len(SIZE).unwrap();
        gpu.dma_map(EXTRA, SIZE, 0, &file);
        file.set_len(SIZE / 2).unwrap();
        gpu.run_ib(COPY, SPACE, stream, 1);
        let fault = gpu.fault().map(|fault| (fault.address, fault.reason));
        let wanted = Some((VA + SIZE - 8, fault::BAD_ADDRESS));
        assert_eq!(fault, wanted, "stream {number}");
    }
    gpu.dma_unmap(EXTRA, SIZE);
    file.set_len(SIZE).unwrap();
    gpu.dma_map(EXTRA, SIZE, 0, &file);
    assert_eq!(fill(&mut gpu, 4), None);
}
