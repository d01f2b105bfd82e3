// SPDX-License-Identifier: GPL-2.0

//! The register file.

use softgpu::abi::{class, feature, limits, pci, regs};

use crate::gpu::{
    BAR0, COPY, COPY2, ENGINES, Gpu, RENDER, SCRATCHPAD_SIZE, VISIBLE_SIZE, VRAM_SIZE,
};

#[test]
fn reset_values() {
    let mut gpu = Gpu::bare();
    assert_eq!(gpu.read(regs::ID), regs::ID_MAGIC);
    let revision = regs::REVISION_MAJOR << 16 | regs::REVISION_MINOR;
    assert_eq!(gpu.read(regs::REVISION), revision);
    let features = feature::SCRATCHPAD
        | feature::ATOMICS
        | feature::TLB_SEQNO
        | feature::POISON
        | feature::LARGE_SPARSE;
    assert_eq!(gpu.read(regs::FEATURES), features);
    assert_eq!(gpu.read_pair(regs::VRAM_SIZE_LO), VRAM_SIZE);
    assert_eq!(gpu.read_pair(regs::VISIBLE_SIZE_LO), VISIBLE_SIZE);
    assert_eq!(u64::from(gpu.read(regs::SCRATCHPAD_SIZE)), SCRATCHPAD_SIZE);
    assert_eq!(gpu.read(regs::ENGINES), ENGINES as u32);
    assert_eq!(gpu.read(regs::ADDRESS_SPACES), limits::ADDRESS_SPACES);
    assert_eq!(gpu.read_engine(RENDER, regs::ENGINE_CLASS), class::RENDER);
    for engine in [COPY, COPY2] {
        assert_eq!(gpu.read_engine(engine, regs::ENGINE_CLASS), class::COPY);
    }
    let identity = [
        regs::ID,
        regs::REVISION,
        regs::FEATURES,
        regs::VRAM_SIZE_LO,
        regs::VISIBLE_SIZE_LO,
        regs::ENGINES,
        regs::ADDRESS_SPACES,
        regs::SCRATCHPAD_SIZE,
        regs::TIMESTAMP_HZ,
        regs::TIMESTAMP_LO,
        regs::TIMESTAMP_HI,
        gpu.engine(COPY, regs::ENGINE_CLASS),
        gpu.engine(COPY2, regs::ENGINE_CLASS),
    ];
    for register in (0..pci::MSIX_TABLE as usize).step_by(4) {
        if !identity.contains(&register) {
            assert_eq!(gpu.read(register), 0, "{register:#x}");
        }
    }
}

#[test]
fn latches() {
    let mut gpu = Gpu::bare();
    let mut registers = vec![
        regs::SCRATCH,
        regs::TLB_START_LO,
        regs::TLB_START_HI,
        regs::TLB_SIZE_LO,
        regs::TLB_SIZE_HI,
        regs::TLB_SEQNO,
    ];
    for space in 0..limits::ADDRESS_SPACES as usize {
        registers.push(regs::AS_BASE + space * regs::AS_STRIDE + regs::AS_ROOT_LO);
        registers.push(regs::AS_BASE + space * regs::AS_STRIDE + regs::AS_ROOT_HI);
    }
    for engine in 0..ENGINES {
        for register in [
            regs::RING_SIZE,
            regs::RING_BASE_LO,
            regs::RING_BASE_HI,
            regs::WRITEBACK_LO,
            regs::WRITEBACK_HI,
        ] {
            registers.push(gpu.engine(engine, register));
        }
    }
    for (at, register) in registers.iter().enumerate() {
        gpu.write(*register, 0x1234_0000 + at as u32);
    }
    for (at, register) in registers.iter().enumerate() {
        assert_eq!(
            gpu.read(*register),
            0x1234_0000 + at as u32,
            "{register:#x}"
        );
    }
}

#[test]
fn read_only_and_absent() {
    let mut gpu = Gpu::bare();
    let absent_engine = regs::ENGINE_BASE + ENGINES * regs::ENGINE_STRIDE + regs::RING_SIZE;
    for register in [
        regs::ID,
        regs::VRAM_SIZE_LO,
        regs::SCRATCHPAD_SIZE,
        regs::FEATURES,
        regs::TLB_DONE,
        regs::INT_STATUS,
        regs::FAULT_COUNT,
    ] {
        let before = gpu.read(register);
        gpu.write(register, !before);
        assert_eq!(gpu.read(register), before);
    }
    for register in [
        0x0e0,
        0x0f0,
        0x500,
        0x2100,
        absent_engine,
        regs::DOORBELL + ENGINES * 4,
    ] {
        gpu.write(register, u32::MAX);
        assert_eq!(gpu.read(register), 0, "{register:#x}");
    }
    gpu.write(regs::RESET, 1);
    assert_eq!(gpu.read(regs::RESET_COUNT), 0);
    gpu.write(regs::TLB_INVALIDATE, limits::ADDRESS_SPACES);
    gpu.write(regs::TLB_INVALIDATE, u32::MAX);
}

#[test]
fn access_sizes() {
    let mut gpu = Gpu::bare();
    gpu.region_write(BAR0, regs::TLB_START_LO as u64, &[1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(gpu.read_pair(regs::TLB_START_LO), 0x0807_0605_0403_0201);
    let mut wide = [0; 8];
    gpu.region_read(BAR0, regs::TLB_START_LO as u64, &mut wide);
    assert_eq!(wide, [1, 2, 3, 4, 5, 6, 7, 8]);

    let scratch = regs::SCRATCH as u64;
    for (offset, length) in [
        (scratch, 1),
        (scratch, 2),
        (scratch, 3),
        (scratch, 12),
        (scratch, 0),
        (scratch + 1, 4),
        (scratch + 4, 8),
        (pci::BAR_REGS_SIZE as u64, 4),
        (pci::BAR_REGS_SIZE as u64 - 4, 8),
        (u64::MAX - 3, 4),
    ] {
        gpu.region_write(BAR0, offset, &vec![0x77; length]);
        let mut data = vec![0; length];
        gpu.region_read(BAR0, offset, &mut data);
        assert_eq!(data, vec![0xff; length], "{offset:#x}, {length} bytes");
    }
    assert_eq!(gpu.read(regs::SCRATCH), 0);
    for region in [1, 3, 4, 5, 6, 8] {
        let mut data = [0; 4];
        gpu.region_write(region, 0, &data);
        gpu.region_read(region, 0, &mut data);
        assert_eq!(data, [0xff; 4]);
    }
}

#[test]
fn the_clock_counts_on_through_resets() {
    let mut gpu = Gpu::bare();
    let hz = u64::from(gpu.read(regs::TIMESTAMP_HZ));
    assert!(hz >= 1_000_000);
    let began = std::time::Instant::now();
    let first = gpu.read_pair(regs::TIMESTAMP_LO);
    std::thread::sleep(std::time::Duration::from_millis(20));
    let ticks = gpu.read_pair(regs::TIMESTAMP_LO) - first;
    let most = began.elapsed().as_nanos() as u64 * hz / 1_000_000_000;
    assert!((hz / 50..=most).contains(&ticks), "{ticks} of {most}");
    gpu.write(regs::RESET, regs::RESET_MAGIC);
    assert!(gpu.read_pair(regs::TIMESTAMP_LO) >= first + ticks);
    gpu.write(regs::TIMESTAMP_LO, 0);
    assert!(gpu.read_pair(regs::TIMESTAMP_LO) >= first + ticks);
}
