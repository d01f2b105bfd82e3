// SPDX-License-Identifier: GPL-2.0

//! Resets.

use softgpu::abi::{limits, regs};
use vm_memory::Bytes;

use crate::gpu::{COPY, DATA, ENGINES, Gpu, KERNEL_RAM, KERNEL_VRAM, RENDER, VRAM_SIZE, wait_for};
use crate::stream::Stream;

/// Leaves traces everywhere.
fn used() -> Gpu {
    let mut gpu = Gpu::new();
    gpu.vram_at(0x1000, 8).write_obj(7u64, 0).unwrap();
    gpu.run(
        RENDER,
        Stream::new().fill(KERNEL_VRAM + VRAM_SIZE - 4096, 4096, 7),
    );
    gpu.write(regs::SCRATCH, 1);
    gpu.write(regs::INT_ENABLE, 0x1ff);
    gpu.write_pair(regs::TLB_START_LO, 0x1_0000_1000);
    gpu.submit(RENDER, &Stream::new().raw(&[0]));
    wait_for("a fault", || gpu.read(regs::FAULT_COUNT) == 1);
    gpu.start(COPY, Stream::new().wait(KERNEL_RAM + DATA, 1));
    wait_for("a busy engine", || gpu.busy(COPY));
    gpu
}

fn assert_fresh(gpu: &mut Gpu, resets: u32) {
    assert_eq!(gpu.read(regs::RESET_COUNT), resets);
    for register in [
        regs::SCRATCH,
        regs::INT_STATUS,
        regs::INT_ENABLE,
        regs::FAULT_COUNT,
        regs::FAULT_INFO,
        regs::TLB_START_LO,
        regs::TLB_START_HI,
    ] {
        assert_eq!(gpu.read(register), 0, "{register:#x}");
    }
    for space in 0..limits::ADDRESS_SPACES as usize {
        assert_eq!(gpu.read_pair(regs::AS_BASE + space * regs::AS_STRIDE), 0);
    }
    for engine in 0..ENGINES {
        for register in (regs::ENGINE_CONTROL..=regs::WRITEBACK_HI).step_by(4) {
            assert_eq!(
                gpu.read_engine(engine, register),
                0,
                "{engine} {register:#x}"
            );
        }
    }
    assert_lost(gpu.vram_at(0x1000, 8).read_obj(0).unwrap());
}

/// Neither what was there nor zeros.
fn assert_lost(word: u64) {
    assert!(![0, 7, 0x7_0000_0007].contains(&word), "{word:#x}");
}

/// The part of VRAM that only engines see is lost too, and the GPU works again.
fn assert_works(gpu: &mut Gpu) {
    gpu.prepare();
    let data = KERNEL_RAM + DATA;
    gpu.set_ram64(DATA, 1);
    gpu.run(
        COPY,
        Stream::new().copy(KERNEL_VRAM + VRAM_SIZE - 4096, data, 8),
    );
    gpu.assert_no_fault();
    assert_lost(gpu.ram64(DATA));
}

#[test]
fn by_register() {
    let mut gpu = used();
    gpu.write(regs::RESET, regs::RESET_MAGIC);
    assert_fresh(&mut gpu, 1);
    assert_works(&mut gpu);
}

#[test]
fn by_the_client() {
    let mut gpu = used();
    gpu.device_reset();
    assert_fresh(&mut gpu, 1);
    assert_eq!(gpu.config_read(4) & 0xffff, 0);
    assert_works(&mut gpu);
    gpu.device_reset();
    assert_eq!(gpu.read(regs::RESET_COUNT), 2);
}

#[test]
fn translations_do_not_survive() {
    let mut gpu = used();
    gpu.write(regs::RESET, regs::RESET_MAGIC);
    gpu.start_engine(COPY, 4096);
    gpu.submit(COPY, &Stream::new().nop(1));
    gpu.wait_halted(COPY);
    assert_eq!(gpu.fault().map(|fault| fault.space), Some(0));
}
