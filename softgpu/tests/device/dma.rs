// SPDX-License-Identifier: GPL-2.0

//! Guest memory that comes and goes.

use softgpu::abi::{fault, pte, regs};
use vfio_user::{DmaMapFlags, DmaUnmapFlags, ServerBackend};
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
    let copy = file.try_clone().unwrap();
    let flags = DmaMapFlags::READ;
    gpu.backend()
        .dma_map(flags, 0, EXTRA, SIZE, Some(copy))
        .unwrap();
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
    // One without memory, which takes the place of one with it.
    gpu.dma_map(EXTRA, SIZE, 0, &file);
    assert_eq!(fill(&mut gpu, 1), None);
    let flags = DmaMapFlags::READ_WRITE;
    gpu.backend().dma_map(flags, 0, EXTRA, SIZE, None).unwrap();
    assert_eq!(fill(&mut gpu, 1), Some(fault::BAD_ADDRESS));
    // One that is larger than its file is refused rather than a signal later.
    let copy = file.try_clone().unwrap();
    let result = gpu.backend().dma_map(flags, 4096, EXTRA, SIZE, Some(copy));
    assert!(result.is_err());
    // All at once.
    gpu.dma_map(EXTRA, SIZE, 0, &file);
    let all = DmaUnmapFlags::UNMAP_ALL;
    gpu.backend().dma_unmap(all, 0, 0).unwrap();
    gpu.submit(COPY, &Stream::new().nop(1));
    gpu.wait_idle(COPY);
    assert_eq!(gpu.read(regs::FAULT_COUNT), 1);
    assert!(gpu.halted(COPY));
}
