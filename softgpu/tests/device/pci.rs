// SPDX-License-Identifier: GPL-2.0

//! The PCI function.

use softgpu::abi::{limits, pci, regs};
use vfio_bindings::bindings::vfio::{
    VFIO_IRQ_INFO_EVENTFD, VFIO_REGION_INFO_FLAG_MMAP, VFIO_REGION_INFO_FLAG_READ,
    VFIO_REGION_INFO_FLAG_WRITE,
};
use vm_memory::Bytes;

use crate::gpu::{BAR0, BAR2, CONFIG, Gpu, MSIX, VISIBLE_SIZE, VRAM_SIZE, content, random_bytes};

/// Offset of a capability in configuration space.
fn capability(gpu: &mut Gpu, id: u32) -> u64 {
    let mut at = gpu.config_read(0x34) & 0xff;
    while at != 0 {
        let header = gpu.config_read(at.into());
        if header & 0xff == id {
            return at.into();
        }
        at = header >> 8 & 0xff;
    }
    panic!("no capability {id:#x}");
}

#[test]
fn identity() {
    let mut gpu = Gpu::bare();
    let ids = u32::from(pci::DEVICE) << 16 | u32::from(pci::VENDOR);
    assert_eq!(gpu.config_read(0), ids);
    assert_eq!(gpu.config_read(8) >> 8, pci::CLASS);
    assert_eq!(gpu.config_read(0x2c), ids);
    assert_eq!(gpu.config_read(0x0c) >> 16 & 0xff, 0, "header type");
    assert_eq!(gpu.config_read(0x3c) >> 8 & 0xff, 0, "interrupt pin");
}

#[test]
fn regions() {
    let mut gpu = Gpu::bare();
    let read_write = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
    let client = gpu.client();
    let sizes: Vec<u64> = (0..9).map(|at| client.region(at).unwrap().size).collect();
    let registers = pci::BAR_REGS_SIZE as u64;
    assert_eq!(sizes, [registers, 0, VISIBLE_SIZE, 0, 0, 0, 0, 4096, 0]);
    let bar0 = client.region(BAR0).unwrap();
    assert_eq!(bar0.flags & 7, read_write);
    assert!(bar0.file_offset.is_none());
    let bar2 = client.region(BAR2).unwrap();
    assert_eq!(bar2.flags & 7, read_write | VFIO_REGION_INFO_FLAG_MMAP);
    assert_eq!(bar2.sparse_areas.len(), 1);
    assert_eq!(bar2.sparse_areas[0].size, VISIBLE_SIZE);
}

#[test]
fn bars_are_sized() {
    let mut gpu = Gpu::bare();
    gpu.config_write(0x10, u32::MAX);
    gpu.config_write(0x18, u32::MAX);
    gpu.config_write(0x1c, u32::MAX);
    assert_eq!(gpu.config_read(0x10), !(pci::BAR_REGS_SIZE as u32 - 1));
    assert_eq!(gpu.config_read(0x18), !(VISIBLE_SIZE as u32 - 1) | 0xc);
    assert_eq!(gpu.config_read(0x1c), u32::MAX);
}

#[test]
fn msix() {
    let mut gpu = Gpu::bare();
    let at = capability(&mut gpu, 0x11);
    assert_eq!(gpu.config_read(at) >> 16 & 0x7ff, limits::MAX_VECTORS - 1);
    assert_eq!(gpu.config_read(at + 4), pci::MSIX_TABLE);
    assert_eq!(gpu.config_read(at + 8), pci::MSIX_PBA);
    gpu.region_write(CONFIG, at + 2, &[0xff, 0xff]);
    assert_eq!(gpu.config_read(at) >> 30, 3, "enable and mask");

    let info = gpu.client().get_irq_info(MSIX).unwrap();
    assert_eq!(info.count, limits::MAX_VECTORS);
    assert_eq!(info.flags, VFIO_IRQ_INFO_EVENTFD);
    for other in [0, 1, 4] {
        assert_eq!(gpu.client().get_irq_info(other).unwrap().count, 0);
    }

    let table = pci::MSIX_TABLE as usize;
    let last = table + 16 * (limits::MAX_VECTORS as usize - 1);
    assert_eq!(gpu.read(last + 12), 1, "masked after reset");
    for (at, value) in [(last, 0xfee0_0000), (last + 8, 0x31), (last + 12, 0)] {
        gpu.write(at, value);
        assert_eq!(gpu.read(at), value);
    }
    gpu.write(last + 16, u32::MAX);
    assert_eq!(gpu.read(last + 16), 0, "past the table");
    gpu.write(pci::MSIX_PBA as usize, u32::MAX);
    assert_eq!(gpu.read(pci::MSIX_PBA as usize), 0);
}

#[test]
fn function_level_reset() {
    let mut gpu = Gpu::new();
    let express = capability(&mut gpu, 0x10);
    assert_ne!(gpu.config_read(express + 4) & 1 << 28, 0, "FLR is offered");
    gpu.vram_at(0x1000, 4).write_obj(1u32, 0).unwrap();
    gpu.write(regs::SCRATCH, 5);
    gpu.config_write(express + 8, 0x2810 | 1 << 15);
    assert_eq!(gpu.read(regs::SCRATCH), 0);
    assert_eq!(gpu.read(regs::RESET_COUNT), 1);
    let lost = gpu.vram_at(0x1000, 4).read_obj::<u32>(0).unwrap();
    assert!(![0, 1].contains(&lost));
    assert_eq!(gpu.config_read(4) & 0xffff, 0, "command register");
}

#[test]
fn d3hot_loses_everything() {
    let mut gpu = Gpu::new();
    let control = capability(&mut gpu, 1) + 4;
    gpu.vram_at(0x1000, 4).write_obj(1u32, 0).unwrap();
    gpu.write(regs::SCRATCH, 5);
    gpu.config_write(control, 3);
    assert_eq!(gpu.config_read(control) & 3, 3);
    assert_eq!(gpu.read(regs::ID), u32::MAX);
    gpu.write(regs::SCRATCH, 6);
    gpu.config_write(control, 0);
    assert_eq!(gpu.read(regs::ID), regs::ID_MAGIC);
    assert_eq!(gpu.read(regs::SCRATCH), 0);
    assert_eq!(gpu.read(regs::RESET_COUNT), 1);
    let lost = gpu.vram_at(0x1000, 4).read_obj::<u32>(0).unwrap();
    assert!(![0, 1].contains(&lost));
    gpu.prepare();
}

#[test]
fn bar2_shows_vram() {
    let mut gpu = Gpu::new();
    let data = random_bytes(100, 1);
    gpu.region_write(BAR2, VISIBLE_SIZE - 100, &data);
    assert_eq!(content(gpu.vram_at(VISIBLE_SIZE - 100, 100)), data);
    let mut read = vec![0; 100];
    gpu.region_read(BAR2, VISIBLE_SIZE - 100, &mut read);
    assert_eq!(read, data);

    // Invisible VRAM is not behind the BAR.
    assert_eq!(gpu.read_pair(regs::VRAM_SIZE_LO), VRAM_SIZE);
    for offset in [VISIBLE_SIZE - 99, VISIBLE_SIZE, u64::MAX - 50] {
        gpu.region_write(BAR2, offset, &[0x55; 100]);
        gpu.region_read(BAR2, offset, &mut read);
        assert_eq!(read, [0xff; 100]);
    }
    assert_eq!(content(gpu.vram_at(VISIBLE_SIZE - 100, 100)), data);
}
