// SPDX-License-Identifier: GPL-2.0

//! Page tables and the TLB.

use softgpu::abi::{fault, limits, pte, regs};

use crate::gpu::{COPY, DATA, Gpu, PageSize, RAM, RENDER, content, random_bytes, wait_for};
use crate::stream::Stream;

const SPACE: u32 = 3;
const VA: u64 = 0x1234_5600_0000;
const READ_WRITE: u64 = pte::WRITABLE | pte::SYSTEM;
const VRAM_READ_WRITE: u64 = pte::WRITABLE;
/// An address that nothing is mapped at.
const NOWHERE: u64 = 0x1000;

#[test]
fn page_sizes() {
    for size in [PageSize::K4, PageSize::K64, PageSize::M2] {
        let mut gpu = Gpu::new();
        gpu.new_space(SPACE);
        let bytes = 2 << 20;
        gpu.map(SPACE, VA, RAM + DATA, bytes, READ_WRITE, size);
        gpu.map(SPACE, VA + bytes, 4 << 20, bytes, VRAM_READ_WRITE, size);
        let data = random_bytes(bytes as usize, 1);
        gpu.ram_at(DATA, data.len()).copy_from(&data);
        let stream = Stream::new().copy(VA + 1, VA + bytes + 3, bytes - 3);
        gpu.run_ib(COPY, SPACE, &stream, 1);
        gpu.assert_no_fault();
        let copied = content(gpu.vram_at((4 << 20) + 3, data.len() - 3));
        assert_eq!(copied, data[1..data.len() - 2], "{size:?}");
    }
}

#[test]
fn scattered_pages() {
    let mut gpu = Gpu::new();
    gpu.new_space(SPACE);
    // Every other page of guest memory backwards, then VRAM, then guest memory again.
    let pages = 64;
    for page in 0..pages {
        let (target, flags) = match page % 3 {
            0 => (page * 4096, VRAM_READ_WRITE),
            _ => (RAM + DATA + (2 * pages - 2 * page) * 4096, READ_WRITE),
        };
        gpu.map(SPACE, VA + page * 4096, target, 4096, flags, PageSize::K4);
    }
    let length = pages as usize * 4096;
    let data = random_bytes(length, 9);
    gpu.map(
        SPACE,
        VA + (4 << 20),
        RAM + DATA + (2 << 20),
        2 << 20,
        READ_WRITE,
        PageSize::M2,
    );
    gpu.ram_at(DATA + (2 << 20), length).copy_from(&data);
    gpu.run_ib(
        COPY,
        SPACE,
        &Stream::new().copy(VA + (4 << 20), VA, length as u64),
        1,
    );
    gpu.assert_no_fault();
    for page in 0..pages {
        let found = match page % 3 {
            0 => content(gpu.vram_at(page * 4096, 4096)),
            _ => content(gpu.ram_at(DATA + (2 * pages - 2 * page) * 4096, 4096)),
        };
        assert_eq!(found, data[page as usize * 4096..][..4096], "page {page}");
    }
}

#[test]
fn address_spaces_are_separate() {
    let mut gpu = Gpu::new();
    for space in 1..limits::ADDRESS_SPACES {
        gpu.new_space(space);
        let target = RAM + DATA + u64::from(space) * 4096;
        gpu.map(space, VA, target, 4096, READ_WRITE, PageSize::K4);
    }
    for space in 1..limits::ADDRESS_SPACES {
        gpu.run_ib(RENDER, space, &Stream::new().fill(VA, 4096, space), 1);
    }
    gpu.assert_no_fault();
    for space in 1..limits::ADDRESS_SPACES {
        let page = content(gpu.ram_at(DATA + u64::from(space) * 4096, 4096));
        assert_eq!(page, space.to_le_bytes().repeat(1024));
    }
}

#[test]
fn page_tables_in_vram() {
    let mut gpu = Gpu::new();
    let tables = [0x10_0000u64, 0x10_1000, 0x10_2000, 0x10_3000];
    for (level, table) in (0..4).rev().zip(tables) {
        let entry = table + (VA >> (12 + 9 * level) & 511) * 8;
        let target = match level {
            0 => 0x20_0000 | pte::WRITABLE,
            _ => table + 0x1000,
        };
        let bytes = (target | pte::VALID).to_le_bytes();
        gpu.vram_at(entry, 8).copy_from(&bytes);
    }
    gpu.set_root(SPACE, tables[0] | pte::VALID);
    // The indirect buffer is in the page itself.
    let stream = Stream::new().write(VA + 0x800, &[77, 78]);
    let bytes: Vec<u8> = stream
        .0
        .iter()
        .flat_map(|dword| dword.to_le_bytes())
        .collect();
    gpu.vram_at(0x20_0000, bytes.len()).copy_from(&bytes);
    let length = stream.0.len() as u32;
    gpu.run(COPY, Stream::new().indirect(SPACE, length, VA, 1));
    gpu.assert_no_fault();
    assert_eq!(
        content(gpu.vram_at(0x20_0800, 8)),
        [77, 0, 0, 0, 78, 0, 0, 0]
    );
}

#[test]
fn sparse() {
    for size in [PageSize::K4, PageSize::K64, PageSize::M2] {
        let mut gpu = Gpu::new();
        gpu.new_space(SPACE);
        let bytes = 2u64 << 20;
        // The address of a sparse entry is ignored.
        gpu.map(
            SPACE,
            VA,
            0x7f_ffe0_0000,
            bytes,
            pte::SPARSE | pte::WRITABLE,
            size,
        );
        gpu.map(
            SPACE,
            VA + bytes,
            RAM + DATA,
            bytes,
            READ_WRITE,
            PageSize::M2,
        );
        gpu.ram_at(DATA, bytes as usize)
            .copy_from(&vec![0xddu8; bytes as usize]);
        let stream = Stream::new()
            .fill(VA, bytes, 0x1234_5678)
            .write(VA, &[1, 2, 3])
            .copy(VA + bytes, VA, bytes)
            .copy(VA + 1, VA + bytes + 1, 0x1_8000)
            .checksum(VA, 4096, VA + bytes + 0x2_0000);
        gpu.run_ib(COPY, SPACE, &stream, 1);
        gpu.assert_no_fault();
        assert_eq!(content(gpu.ram_at(DATA, 1)), [0xdd]);
        assert_eq!(content(gpu.ram_at(DATA + 1, 0x1_8000)), vec![0; 0x1_8000]);
        assert_eq!(content(gpu.ram_at(DATA + 0x1_8001, 1)), [0xdd]);
        assert_eq!(gpu.ram64(DATA + 0x2_0000), 0, "checksum of zeros");
    }
}

#[test]
fn large_sparse() {
    for (level, bytes) in [(2, 1u64 << 30), (3, 512 << 30)] {
        let mut gpu = Gpu::new();
        gpu.new_space(SPACE);
        let leaf = pte::VALID | pte::SPARSE | pte::LEAF;
        let (writable, read_only) = (0x1000_0000_0000, 0x1000_0000_0000 + bytes);
        let at = gpu.entry(SPACE, writable, level);
        gpu.set_ram64(at, leaf | pte::WRITABLE);
        let next = gpu.entry(SPACE, read_only, level);
        gpu.set_ram64(next, leaf);
        gpu.map(SPACE, VA, RAM + DATA, 4096, READ_WRITE, PageSize::K4);
        gpu.ram_at(DATA, 4096).copy_from(&[0xddu8; 4096]);

        let somewhere = writable + bytes / 2 - 8;
        let stream = Stream::new()
            .write(somewhere, &[1, 2, 3, 4])
            .copy(somewhere, VA, 16)
            .copy(read_only - 8, VA + 64, 16);
        gpu.run_ib(COPY, SPACE, &stream, 1);
        gpu.assert_no_fault();
        assert_eq!(content(gpu.ram_at(DATA, 16)), [0; 16]);
        assert_eq!(content(gpu.ram_at(DATA + 64, 16)), [0; 16]);
        assert_eq!(content(gpu.ram_at(DATA + 80, 1)), [0xdd]);

        // A table takes its place, in which one page is memory.
        gpu.set_ram64(at, 0);
        gpu.map(
            SPACE,
            somewhere & !4095,
            RAM + DATA + 4096,
            4096,
            READ_WRITE,
            PageSize::K4,
        );
        gpu.invalidate(SPACE, somewhere & !4095, 4096);
        let stream = Stream::new().write(somewhere, &[5, 6]);
        gpu.run_ib(COPY, SPACE, &stream, 2);
        gpu.assert_no_fault();
        assert_eq!(
            content(gpu.ram_at(DATA + 8184, 8)),
            [5, 0, 0, 0, 6, 0, 0, 0]
        );
    }
}

/// Two pages with different content and a space that maps the first, which the TLB has seen.
fn warm(size: PageSize) -> Gpu {
    let mut gpu = Gpu::new();
    gpu.new_space(SPACE);
    gpu.map(SPACE, VA, RAM + DATA, 2 << 20, READ_WRITE, size);
    gpu.map(SPACE, VA + (2 << 20), 0, 2 << 20, VRAM_READ_WRITE, size);
    assert_eq!(probe(&mut gpu, 1), (true, false));
    gpu
}

/// Writes a value through the mapping; whether it arrived in the old and in the new place.
fn probe(gpu: &mut Gpu, value: u32) -> (bool, bool) {
    gpu.run_ib(COPY, SPACE, &Stream::new().write(VA + 0x5008, &[value]), 1);
    gpu.assert_no_fault();
    let arrived = |at: u64| content(gpu.ram_at(at + 0x5008, 4)) == value.to_le_bytes();
    (arrived(DATA), arrived(DATA + (4 << 20)))
}

fn remap(gpu: &mut Gpu, size: PageSize) {
    gpu.map(SPACE, VA, RAM + DATA + (4 << 20), 2 << 20, READ_WRITE, size);
}

#[test]
fn the_tlb_keeps_translations() {
    for size in [PageSize::K4, PageSize::K64, PageSize::M2] {
        let mut gpu = warm(size);
        remap(&mut gpu, size);
        assert_eq!(probe(&mut gpu, 2), (true, false), "{size:?}");
        // Neither another space, nor another range, nor a number that does not exist.
        gpu.invalidate(SPACE + 1, 0, 0);
        gpu.invalidate(SPACE, VA + (2 << 20), u64::MAX);
        gpu.invalidate(SPACE, 0, VA);
        let seqno = gpu.start_invalidation(SPACE + limits::ADDRESS_SPACES, 0, 0);
        assert_eq!(probe(&mut gpu, 3), (true, false), "{size:?}");
        assert_ne!(gpu.read(regs::TLB_DONE), seqno);
        // One byte of the page is enough.
        gpu.invalidate(SPACE, VA + 0x5fff, 1);
        assert_eq!(probe(&mut gpu, 4), (false, true), "{size:?}");
    }
}

#[test]
fn invalidation_of_a_whole_space() {
    let mut gpu = warm(PageSize::K4);
    remap(&mut gpu, PageSize::K4);
    gpu.invalidate(SPACE, 0x123, 0);
    assert_eq!(probe(&mut gpu, 2), (false, true));
}

#[test]
fn invalidation_by_packet() {
    let mut gpu = warm(PageSize::K64);
    remap(&mut gpu, PageSize::K64);
    gpu.run(
        COPY,
        Stream::new().tlb_invalidate(SPACE, VA + 0x1_0000, 4096),
    );
    assert_eq!(probe(&mut gpu, 2), (true, false));
    gpu.run(RENDER, Stream::new().tlb_invalidate(SPACE, VA, 4096));
    assert_eq!(probe(&mut gpu, 3), (false, true));
}

#[test]
fn a_new_root_invalidates() {
    let mut gpu = warm(PageSize::M2);
    remap(&mut gpu, PageSize::M2);
    let register = regs::AS_BASE + SPACE as usize * regs::AS_STRIDE;
    let (low, high) = (gpu.read(register), gpu.read(register + 4));
    gpu.write(register, low);
    assert_eq!(probe(&mut gpu, 2), (true, false), "the low half alone");
    gpu.write(register + 4, high);
    assert_eq!(probe(&mut gpu, 3), (false, true));
}

/// Points the entry of `level` for [`VA`] to a copy of its table, made by `change`, whose content
/// is the offset of the copy and of the table.
fn replace_table(gpu: &mut Gpu, level: u32) -> u64 {
    let entry = gpu.entry(SPACE, VA, level);
    let old = (gpu.ram64(entry) & pte::ADDRESS) - RAM;
    let new = gpu.new_table();
    let content = content(gpu.ram_at(old, 4096));
    gpu.ram_at(new, 4096).copy_from(&content);
    gpu.set_ram64(entry, (RAM + new) | pte::VALID | pte::SYSTEM);
    old
}

#[test]
fn the_tlb_keeps_tables_too() {
    for level in [1, 2, 3] {
        let mut gpu = warm(PageSize::K4);
        // A page that has not been translated, below another entry of the same table. The table is
        // freed, and others get the memory.
        let below = 4096 << (9 * (level - 1));
        let other = VA + 2 * below;
        let target = RAM + DATA + (4 << 20);
        gpu.map(SPACE, other, target, 4096, READ_WRITE, PageSize::K4);
        let old = replace_table(&mut gpu, level);
        gpu.ram_at(old, 4096).copy_from(&[0u8; 4096]);
        let write = Stream::new().write(other, &[level]);
        gpu.run_ib(COPY, SPACE, &write, 1);
        let found = gpu.fault().map(|fault| (fault.reason, fault.address));
        assert_eq!(found, Some((fault::NOT_PRESENT, other)), "level {level}");
        // Neither what is beside it, nor what is in another space.
        gpu.invalidate(SPACE, VA + 512 * below, u64::MAX);
        gpu.invalidate(SPACE + 1, 0, 0);
        gpu.run_ib(COPY, SPACE, &write, 2);
        assert!(gpu.fault().is_some(), "level {level}");
        // One byte below it is enough.
        gpu.invalidate(SPACE, VA + 0x7fff, 1);
        gpu.run_ib(COPY, SPACE, &write, 3);
        gpu.assert_no_fault();
        let arrived = content(gpu.ram_at(DATA + (4 << 20), 4));
        assert_eq!(arrived, level.to_le_bytes(), "level {level}");
    }
}

#[test]
fn invalidations_are_numbered() {
    let mut gpu = warm(PageSize::K4);
    remap(&mut gpu, PageSize::K4);
    assert_eq!(gpu.control("hang 0 tlb"), "ok");
    let first = gpu.start_invalidation(SPACE, VA, 2 << 20);
    assert!(gpu.control("counters 0").contains(r#""tlb_hung":true"#));
    assert_eq!(probe(&mut gpu, 2), (true, false), "not yet");
    let mut last = first;
    for _ in 0..2 * limits::TLB_QUEUE {
        last = gpu.start_invalidation(SPACE + 1, 0, 4096);
    }
    assert_eq!(gpu.read(regs::TLB_SEQNO), last);
    assert!(gpu.read(regs::TLB_DONE) < first);

    // A reset forgets all of it, and ends the hang.
    gpu.write(regs::RESET, regs::RESET_MAGIC);
    assert_eq!(gpu.read(regs::TLB_SEQNO), 0);
    assert_eq!(gpu.read(regs::TLB_DONE), 0);
    assert!(gpu.control("counters 0").contains(r#""tlb_hung":false"#));
    gpu.prepare();
    gpu.invalidate(SPACE, 0, 0);
    assert_eq!(gpu.read(regs::TLB_DONE), 1);
}

#[test]
fn permissions_are_cached_too() {
    let mut gpu = Gpu::new();
    gpu.new_space(SPACE);
    gpu.map(SPACE, VA, RAM + DATA, 4096, pte::SYSTEM, PageSize::K4);
    gpu.run_ib(COPY, SPACE, &Stream::new().checksum(VA, 4, NOWHERE), 1);
    assert!(gpu.fault().is_some(), "no result page yet");
    gpu.map(SPACE, VA, RAM + DATA, 4096, READ_WRITE, PageSize::K4);
    gpu.run_ib(COPY, SPACE, &Stream::new().write(VA, &[1]), 2);
    assert_eq!(
        gpu.fault().map(|fault| fault.tag),
        Some(2),
        "still read-only"
    );
    gpu.invalidate(SPACE, VA, 4096);
    gpu.run_ib(COPY, SPACE, &Stream::new().write(VA, &[1]), 3);
    gpu.assert_no_fault();
}

#[test]
fn absent_entries_are_not_cached() {
    let mut gpu = Gpu::new();
    gpu.new_space(SPACE);
    gpu.run_ib(COPY, SPACE, &Stream::new().write(VA, &[1]), 1);
    assert!(gpu.fault().is_some());
    gpu.map(SPACE, VA, RAM + DATA, 4096, READ_WRITE, PageSize::K4);
    gpu.run_ib(COPY, SPACE, &Stream::new().write(VA, &[1]), 1);
    gpu.assert_no_fault();
}

#[test]
fn no_old_translation_is_used_after_an_invalidation() {
    let mut gpu = Gpu::new();
    gpu.new_space(SPACE);
    let bytes = 2 << 20;
    gpu.map(SPACE, VA, RAM + DATA, bytes, READ_WRITE, PageSize::M2);
    // While the engine fills the range over and over, its memory is taken away.
    let mut stream = Stream::new();
    for _ in 0..40_000 {
        stream = stream.fill(VA, bytes, 0xaaaa_aaaa);
    }
    let value = gpu.start_ib(COPY, SPACE, &stream, 1);
    let is_done = |gpu: &Gpu| gpu.fence(COPY) == value;
    let mut shown = 0;
    for round in 0..20 {
        let (old, new) = match round % 2 {
            0 => (DATA, DATA + bytes),
            _ => (DATA + bytes, DATA),
        };
        gpu.map(SPACE, VA, RAM + new, bytes, READ_WRITE, PageSize::M2);
        gpu.invalidate(SPACE, VA, bytes);
        let memory = gpu.ram_at(old, bytes as usize);
        let untouched = vec![0x55u8; bytes as usize];
        memory.copy_from(&untouched);
        std::thread::sleep(std::time::Duration::from_millis(2));
        assert!(content(memory) == untouched, "round {round}");
        // Nothing had filled it before the engine saw the new entry.
        wait_for("fill of the new memory", || {
            content(gpu.ram_at(new, 4)) == [0xaa; 4] || is_done(&gpu)
        });
        if is_done(&gpu) {
            break;
        }
        shown += 1;
    }
    assert!(shown > 0, "the engine was at it");
    gpu.write_engine(COPY, regs::ENGINE_CONTROL, regs::CONTROL_RESET);
    gpu.assert_no_fault();
}
