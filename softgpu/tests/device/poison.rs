// SPDX-License-Identifier: GPL-2.0

//! Pages of VRAM that go bad.

use softgpu::abi::{fault, pte, regs};

use crate::gpu::{BAR2, COPY, DATA, Fault, Gpu, PageSize, RAM, VRAM_SIZE, content};
use crate::stream::Stream;

const SPACE: u32 = 2;
const TAG: u64 = 77;
/// Where the space has VRAM, and guest memory behind it.
const VRAM: u64 = 0x10_0000_0000;
const MEMORY: u64 = VRAM + (4 << 20);
/// A bad page.
const BAD: u64 = 0x5000;
const READ_WRITE: u64 = pte::WRITABLE | pte::SYSTEM;

/// A GPU with a bad page, and VRAM full of sevens.
fn poisoned() -> Gpu {
    let mut gpu = Gpu::new();
    gpu.new_space(SPACE);
    gpu.map(SPACE, VRAM, 0, 4 << 20, pte::WRITABLE, PageSize::M2);
    gpu.map(SPACE, MEMORY, RAM + DATA, 2 << 20, READ_WRITE, PageSize::M2);
    gpu.run_ib(COPY, SPACE, &Stream::new().fill(VRAM, 0x10000, 7), TAG);
    assert_eq!(gpu.control(&format!("poison 0 {} 4", BAD + 8)), "ok");
    gpu
}

#[track_caller]
fn expect(gpu: &mut Gpu, stream: &Stream, access: u32, address: u64) {
    gpu.run_ib(COPY, SPACE, stream, TAG);
    let wanted = Fault {
        engine: COPY as u32,
        space: SPACE,
        access,
        reason: fault::POISONED,
        address,
        tag: TAG,
    };
    assert_eq!(gpu.fault(), Some(wanted));
    gpu.assert_no_fault();
}

#[test]
fn reads_fault_where_it_begins() {
    let mut gpu = poisoned();
    gpu.ram_at(DATA, 0x8000).copy_from(&[1u8; 0x8000]);
    let copy = Stream::new().copy(VRAM + BAD - 0x1000, MEMORY, 0x3000);
    expect(&mut gpu, &copy, fault::ACCESS_READ, VRAM + BAD);
    let copied = content(gpu.ram_at(DATA, 0x2000));
    assert_eq!(copied[..0x1000], [7u8, 0, 0, 0].repeat(0x400), "before it");
    assert_eq!(copied[0x1000..], [1; 0x1000], "of it");

    let inside = Stream::new().checksum(VRAM + BAD + 0xffc, 4, MEMORY);
    expect(&mut gpu, &inside, fault::ACCESS_READ, VRAM + BAD + 0xffc);
    // The next page that was looked up, which is memory elsewhere, does not stand in for it.
    let across = Stream::new().checksum(VRAM, MEMORY + 0x1000 - VRAM, MEMORY);
    expect(&mut gpu, &across, fault::ACCESS_READ, VRAM + BAD);
    // An atomic reads as well.
    let atomic = Stream::new().atomic_add(VRAM + BAD, 1, 0);
    expect(&mut gpu, &atomic, fault::ACCESS_READ, VRAM + BAD);
    let behind = Stream::new().copy(VRAM + BAD + 0x1000, MEMORY, 0x1000);
    gpu.run_ib(COPY, SPACE, &behind, TAG);
    // A write may come before anything reads it.
    gpu.run_ib(COPY, SPACE, &Stream::new().fill(VRAM + BAD, 0x1000, 9), TAG);
    gpu.assert_no_fault();
    expect(&mut gpu, &copy, fault::ACCESS_READ, VRAM + BAD);
}

#[test]
fn packets_and_page_tables_in_it_fault() {
    let mut gpu = poisoned();
    let buffer = Stream::new().indirect(SPACE, 4, VRAM + BAD, TAG);
    gpu.run(COPY, buffer);
    let found = gpu
        .fault()
        .map(|fault| (fault.access, fault.reason, fault.address));
    let wanted = (fault::ACCESS_FETCH, fault::POISONED, VRAM + BAD);
    assert_eq!(found, Some(wanted));

    let at = gpu.entry(SPACE, 0x20_0000_0000, 1);
    gpu.set_ram64(at, BAD | pte::VALID);
    let write = Stream::new().write(0x20_0000_0000, &[1]);
    expect(&mut gpu, &write, fault::ACCESS_WRITE, 0x20_0000_0000);
}

#[test]
fn the_cpu_sees_ones() {
    let mut gpu = poisoned();
    assert_eq!(content(gpu.vram_at(BAD, 0x1000)), [0xff; 0x1000]);
    let mut read = [0; 8];
    gpu.region_read(BAR2, BAD, &mut read);
    assert_eq!(read, [0xff; 8]);
    assert_eq!(content(gpu.vram_at(BAD - 1, 1)), [0]);
    assert_eq!(content(gpu.vram_at(BAD + 0x1000, 1)), [7]);
}

#[test]
fn it_is_reported_once_and_again_after_a_reset() {
    let mut gpu = poisoned();
    assert_eq!(gpu.read(regs::INT_STATUS), 1 << regs::VECTOR_FAULT);
    gpu.write(regs::INT_CLEAR, u32::MAX);
    let last = VRAM_SIZE - 1;
    assert_eq!(gpu.control(&format!("poison 0 {last} 1")), "ok");
    // One that is bad already is no news.
    gpu.write(regs::INT_CLEAR, u32::MAX);
    assert_eq!(gpu.control(&format!("poison 0 {BAD} 4096")), "ok");
    assert_eq!(gpu.read(regs::INT_STATUS), 0);
    let mut reports = |count| {
        assert_eq!(gpu.read(regs::POISON_COUNT), count);
        let pages: Vec<_> = (0..count)
            .map(|_| {
                let page = gpu.read_pair(regs::POISON_ADDR_LO);
                gpu.write(regs::POISON_POP, 0);
                page
            })
            .collect();
        assert_eq!(gpu.read(regs::POISON_COUNT), 0);
        assert_eq!(gpu.read_pair(regs::POISON_ADDR_LO), 0);
        gpu.write(regs::RESET, regs::RESET_MAGIC);
        pages
    };
    assert_eq!(reports(2), [BAD, VRAM_SIZE - 4096]);
    assert_eq!(reports(2), [BAD, VRAM_SIZE - 4096]);
}

#[test]
fn what_is_not_vram_cannot_go_bad() {
    let gpu = Gpu::new();
    for range in [
        format!("{VRAM_SIZE} 1"),
        format!("{} 2", VRAM_SIZE - 1),
        format!("{} 1", u64::MAX),
        "0 0".to_owned(),
        "-1 4096".to_owned(),
    ] {
        let answer = gpu.control(&format!("poison 0 {range}"));
        assert!(answer.starts_with("error: "), "{range}: {answer}");
    }
}
