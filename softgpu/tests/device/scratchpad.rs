// SPDX-License-Identifier: GPL-2.0

//! The memory on the chip.

use softgpu::abi::{fault, pte, regs};

use crate::gpu::{COPY2, DATA, Gpu, PageSize, RAM, RENDER, SCRATCHPAD_SIZE, content, random_bytes};
use crate::stream::Stream;

const SPACE: u32 = 2;
const VA: u64 = 0x5_0000_0000;
const RAM_VA: u64 = 0x6_0000_0000;
/// Register of the configuration space: 3 is D3hot.
const POWER: u64 = 0x44;
const FLAGS: u64 = pte::SCRATCHPAD | pte::WRITABLE;

/// A space that has all of the scratchpad, in pages of a size, and guest memory.
fn mapped(gpu: &mut Gpu, size: PageSize) {
    gpu.new_space(SPACE);
    let bytes = SCRATCHPAD_SIZE.next_multiple_of(size.bytes());
    gpu.map(SPACE, VA, 0, bytes, FLAGS, size);
    let flags = pte::SYSTEM | pte::WRITABLE;
    gpu.map(SPACE, RAM_VA, RAM + DATA, 4 << 20, flags, PageSize::M2);
}

/// Content of the scratchpad, by way of guest memory.
fn scratchpad(gpu: &mut Gpu) -> Vec<u8> {
    let read = Stream::new().copy(VA, RAM_VA + (2 << 20), SCRATCHPAD_SIZE);
    gpu.run_ib(RENDER, SPACE, &read, 1);
    gpu.assert_no_fault();
    content(gpu.ram_at(DATA + (2 << 20), SCRATCHPAD_SIZE as usize))
}

#[test]
fn is_memory_of_its_own() {
    for size in [PageSize::K4, PageSize::K64, PageSize::M2] {
        let mut gpu = Gpu::new();
        mapped(&mut gpu, size);
        let data = random_bytes(SCRATCHPAD_SIZE as usize, 5);
        gpu.ram_at(DATA, data.len()).copy_from(&data);
        gpu.vram_at(0, data.len())
            .copy_from(&vec![0xeeu8; data.len()]);
        let write = Stream::new().copy(RAM_VA, VA, SCRATCHPAD_SIZE);
        gpu.run_ib(COPY2, SPACE, &write, 1);
        assert_eq!(scratchpad(&mut gpu), data, "{size:?}");
        let vram = content(gpu.vram_at(0, data.len()));
        assert_eq!(vram, vec![0xee; data.len()]);
    }
}

#[test]
fn ends() {
    let mut gpu = Gpu::new();
    mapped(&mut gpu, PageSize::M2);
    // A page of 2 MiB reaches past the end; what is before it can be used.
    let write = Stream::new().fill(VA + SCRATCHPAD_SIZE - 4096, 8192, 1);
    gpu.run_ib(RENDER, SPACE, &write, 9);
    let fault = gpu.fault().unwrap();
    assert_eq!(fault.reason, fault::BAD_ADDRESS);
    assert_eq!(fault.address, VA + SCRATCHPAD_SIZE);
    let seen = scratchpad(&mut gpu);
    assert_eq!(seen[seen.len() - 4..], [1, 0, 0, 0]);
}

#[test]
fn is_lost_on_reset_and_without_power() {
    let by_register = |gpu: &mut Gpu| gpu.write(regs::RESET, regs::RESET_MAGIC);
    let by_power = |gpu: &mut Gpu| {
        for state in [3, 0] {
            gpu.config_write(POWER, state);
        }
    };
    for lose in [by_register as fn(&mut Gpu), by_power] {
        let mut gpu = Gpu::new();
        mapped(&mut gpu, PageSize::K4);
        let fill = Stream::new().fill(VA, SCRATCHPAD_SIZE, 7);
        gpu.run_ib(RENDER, SPACE, &fill, 1);
        assert_eq!(scratchpad(&mut gpu)[..4], [7, 0, 0, 0]);
        lose(&mut gpu);
        gpu.prepare();
        mapped(&mut gpu, PageSize::K4);
        let lost = scratchpad(&mut gpu);
        for word in lost.as_chunks().0 {
            assert!(![0, 7].contains(&u32::from_le_bytes(*word)));
        }
    }
}
