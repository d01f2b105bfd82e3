// SPDX-License-Identifier: GPL-2.0

//! Device time.

use std::sync::Arc;

use softgpu::abi::cost::{self, picoseconds};
use softgpu::abi::{fault, pte, regs};
use softgpu::peers::Window;
use softgpu::vram::Vram;

use crate::gpu::{COPY, COPY2, DATA, Gpu, KERNEL_RAM, PageSize, RAM, RENDER, wait_for};
use crate::stream::Stream;

const SPACE: u32 = 3;
/// Guest memory, VRAM and scratchpad in the space.
const SYSTEM: u64 = 0x10_0000_0000;
const VRAM: u64 = 0x20_0000_0000;
const SCRATCHPAD: u64 = 0x30_0000_0000;
const PEER: u64 = 0x40_0000_0000;
const MIB: u64 = 1 << 20;

fn busy(gpu: &mut Gpu, engine: usize) -> u64 {
    let register = gpu.engine(engine, regs::BUSY_LO);
    let low = gpu.read(register);
    u64::from(gpu.read(register + 4)) << 32 | u64::from(low)
}

/// A new GPU with the space, in pages of a size.
fn mapped(size: PageSize) -> Gpu {
    let mut gpu = Gpu::new();
    gpu.new_space(SPACE);
    let system = pte::WRITABLE | pte::SYSTEM;
    gpu.map(SPACE, SYSTEM, RAM + DATA, 4 * MIB, system, size);
    gpu.map(SPACE, VRAM, 0, 8 * MIB, pte::WRITABLE, size);
    let scratchpad = pte::WRITABLE | pte::SCRATCHPAD;
    gpu.map(SPACE, SCRATCHPAD, 0, 2 * MIB, scratchpad, PageSize::M2);
    gpu
}

/// Nanoseconds that a buffer costs a new GPU with pages of a size.
fn cost_of(size: PageSize, stream: &Stream) -> u64 {
    let mut gpu = mapped(size);
    gpu.run_ib(COPY, SPACE, stream, 1);
    gpu.wait_idle(COPY);
    gpu.assert_no_fault();
    busy(&mut gpu, COPY)
}

/// Nanoseconds that one packet costs beyond its fetch: more than one that does nothing.
fn cost_of_packet(size: PageSize, stream: &Stream) -> u64 {
    let nothing = Stream::new().copy(0, 0, 0);
    cost_of(size, stream) - cost_of(size, &nothing)
}

#[track_caller]
fn assert_about(found: u64, wanted: u64) {
    // A nanosecond for rounding, and walks for the pages of ring and fence if they had to give way.
    let above = found as i64 - wanted as i64;
    let walks = 4 * cost::WALK_SYSTEM as i64;
    assert!((-1..=walks).contains(&above), "{found}, not {wanted}");
}

#[test]
fn a_copy_costs_its_slower_side() {
    for size in [PageSize::K4, PageSize::K64, PageSize::M2] {
        let walks = |bytes: u64| bytes.div_ceil(size.bytes()) * cost::WALK_SYSTEM;
        let system = |bytes| {
            let stream = picoseconds(bytes, cost::SYSTEM_BANDWIDTH) / 1000;
            cost::SYSTEM_LATENCY + stream + walks(bytes)
        };
        let vram = |bytes| {
            let stream = picoseconds(bytes, cost::VRAM_BANDWIDTH) / 1000;
            cost::VRAM_LATENCY + stream + walks(bytes)
        };
        for bytes in [4096, MIB, 4 * MIB] {
            let up = Stream::new().copy(SYSTEM, VRAM, bytes);
            assert_about(cost_of_packet(size, &up), system(bytes));
            let down = Stream::new().copy(VRAM, SYSTEM, bytes);
            assert_about(cost_of_packet(size, &down), system(bytes));
            let inside = Stream::new().copy(VRAM, VRAM + 4 * MIB, bytes);
            assert_about(cost_of_packet(size, &inside), vram(bytes));
            let fill = Stream::new().fill(VRAM, bytes, 1);
            assert_about(cost_of_packet(size, &fill), vram(bytes));
        }
    }
}

#[test]
fn the_scratchpad_is_fastest() {
    let bytes = 64 << 10;
    let scratchpad = cost_of_packet(PageSize::M2, &Stream::new().fill(SCRATCHPAD, bytes, 1));
    let wanted = cost::SCRATCHPAD_LATENCY
        + cost::WALK_SYSTEM
        + picoseconds(bytes, cost::SCRATCHPAD_BANDWIDTH) / 1000;
    assert_about(scratchpad, wanted);
    let vram = cost_of_packet(PageSize::M2, &Stream::new().fill(VRAM, bytes, 1));
    assert!(scratchpad < vram);
}

#[test]
fn a_peer_is_farther_than_system_memory() {
    const BUS: u64 = 1 << 40;
    let cost_of_packet = |stream: &Stream| {
        let mut gpu = Gpu::direct();
        let window = Arc::new(Window::new(Arc::new(Vram::new(4 * MIB).unwrap()), 4 * MIB));
        window.set(Some(BUS));
        let shared = gpu.backend().device().shared();
        shared.memory.write().dma.set_peers(vec![window]);
        gpu.new_space(SPACE);
        let system = pte::WRITABLE | pte::SYSTEM;
        gpu.map(SPACE, PEER, BUS, 4 * MIB, system, PageSize::M2);
        gpu.map(SPACE, VRAM, 0, 4 * MIB, pte::WRITABLE, PageSize::M2);
        gpu.run_ib(COPY, SPACE, stream, 1);
        gpu.wait_idle(COPY);
        gpu.assert_no_fault();
        busy(&mut gpu, COPY)
    };
    let nothing = cost_of_packet(&Stream::new().copy(0, 0, 0));
    for (from, to) in [(PEER, VRAM), (VRAM, PEER)] {
        let copy = cost_of_packet(&Stream::new().copy(from, to, 4 * MIB)) - nothing;
        let stream = picoseconds(4 * MIB, cost::PEER_BANDWIDTH) / 1000;
        assert_about(copy, cost::PEER_LATENCY + stream + 2 * cost::WALK_SYSTEM);
        // Through system memory it takes two copies.
        assert!(copy < 2 * picoseconds(4 * MIB, cost::SYSTEM_BANDWIDTH) / 1000);
    }
}

/// Share of the link's bandwidth, in percent, that copies of 4 MiB in packets of some bytes have.
fn share(size: PageSize, packet: u64) -> u64 {
    let mut stream = Stream::new();
    for at in (0..4 * MIB).step_by(packet as usize) {
        stream = stream.copy(VRAM + at, SYSTEM + at, packet);
    }
    picoseconds(4 * MIB, cost::SYSTEM_BANDWIDTH) / 10 / cost_of(size, &stream)
}

#[test]
fn long_packets_and_large_pages_pay_off() {
    assert!(share(PageSize::M2, 4 * MIB) >= 97);
    assert!((92..97).contains(&share(PageSize::K64, 4 * MIB)));
    assert!((50..65).contains(&share(PageSize::K4, 4 * MIB)));
    assert!((60..80).contains(&share(PageSize::M2, 64 << 10)));
    assert!(share(PageSize::M2, 4096) < 20);
}

#[test]
fn tables_in_vram_are_walked_faster() {
    let mut gpu = Gpu::new();
    // One page of VRAM through tables in VRAM, each in the page behind the one above.
    let address = 0x40_0020_0000u64;
    for (table, level) in (0x10_0000u64..).step_by(4096).zip((0..4).rev()) {
        let entry = table + (address >> (12 + 9 * level) & 511) * 8;
        let next = match level {
            0 => pte::WRITABLE,
            _ => table + 4096,
        };
        gpu.vram_at(entry, 8)
            .copy_from(&(next | pte::VALID).to_le_bytes());
    }
    gpu.set_root(SPACE, 0x10_0000 | pte::VALID);
    gpu.vram_at(0, 4).copy_from(&Stream::new().nop(1).0[..1]);
    let mut run = || {
        let before = busy(&mut gpu, COPY);
        gpu.run(COPY, Stream::new().indirect(SPACE, 1, address, 1));
        gpu.wait_idle(COPY);
        busy(&mut gpu, COPY) - before
    };
    // The first run also walks for the ring and the fence, the later ones for nothing.
    let (cold, warm) = (run(), run());
    let ring = 2 * cost::WALK_SYSTEM;
    let lines = picoseconds(2 * cost::LINE, cost::SYSTEM_BANDWIDTH) / 1000;
    let difference = cold - warm;
    assert!(
        difference.abs_diff(ring + cost::WALK_VRAM) <= lines,
        "{difference}"
    );
}

#[test]
fn translations_are_kept_until_they_are_invalidated() {
    let read = Stream::new().copy(SYSTEM, SCRATCHPAD, 4096);
    let again = read.clone().copy(SYSTEM, SCRATCHPAD, 4096);
    let cold = cost_of_packet(PageSize::K4, &read);
    let both = cost_of_packet(PageSize::K4, &again);
    assert!(both < 2 * cold + cost::PACKET, "{both} {cold}");

    let mut gpu = mapped(PageSize::K4);
    let run = |gpu: &mut Gpu| {
        let before = busy(gpu, COPY);
        gpu.run_ib(COPY, SPACE, &read, 1);
        gpu.wait_idle(COPY);
        busy(gpu, COPY) - before
    };
    run(&mut gpu);
    let warm = run(&mut gpu);
    let lines = 4 * picoseconds(cost::LINE, cost::SYSTEM_BANDWIDTH) / 1000;
    gpu.invalidate(SPACE, SYSTEM + 4096, 4096);
    assert!(run(&mut gpu).abs_diff(warm) <= lines, "another page");
    gpu.invalidate(SPACE, SYSTEM, 1);
    let missed = run(&mut gpu);
    assert!(
        missed.abs_diff(warm + cost::WALK_SYSTEM) <= lines,
        "{missed} {warm}"
    );
    // Engines do not share what they keep.
    let before = busy(&mut gpu, COPY2);
    gpu.run_ib(COPY2, SPACE, &read, 1);
    gpu.wait_idle(COPY2);
    assert!(busy(&mut gpu, COPY2) - before > warm);
}

#[test]
fn the_same_every_time() {
    let run = || {
        let mut gpu = mapped(PageSize::K4);
        // The copy engine waits for the render engine, for as long as that takes.
        let flag = KERNEL_RAM + DATA - 8;
        gpu.set_ram64(DATA - 8, 0);
        gpu.submit(COPY, &Stream::new().wait(flag, 1));
        let render = Stream::new()
            .fill(VRAM, 3 * MIB, 5)
            .checksum(VRAM + 4, MIB, SYSTEM)
            .rect_fill(VRAM, 4096, [3, 5, 100, 100], 7);
        gpu.run_ib(RENDER, SPACE, &render, 1);
        gpu.run(RENDER, Stream::new().fence(flag, 1, false));
        gpu.run(COPY, Stream::new().tlb_invalidate(SPACE, 0, 0));
        gpu.run_ib(COPY, SPACE, &Stream::new().copy(VRAM, SYSTEM, MIB), 1);
        for engine in [RENDER, COPY] {
            gpu.wait_idle(engine);
        }
        gpu.assert_no_fault();
        (busy(&mut gpu, RENDER), busy(&mut gpu, COPY))
    };
    let first = run();
    assert!(first.0 > 0 && first.1 > 0);
    assert!((0..5).all(|_| run() == first));
}

#[test]
fn where_pages_are_does_not_matter() {
    // At odd places, so that pieces end within lines.
    let copy = Stream::new().copy(SYSTEM + 3, VRAM + 9, MIB);
    let together = cost_of(PageSize::K4, &copy);
    let mut gpu = mapped(PageSize::K4);
    for page in (0..2 * MIB).step_by(4096) {
        let target = RAM + DATA + 2 * MIB - 4096 - page;
        let flags = pte::WRITABLE | pte::SYSTEM;
        gpu.map(SPACE, SYSTEM + page, target, 4096, flags, PageSize::K4);
    }
    gpu.run_ib(COPY, SPACE, &copy, 1);
    gpu.wait_idle(COPY);
    gpu.assert_no_fault();
    assert_eq!(busy(&mut gpu, COPY), together);
}

#[test]
fn timestamps_tell_the_time_of_what_is_between_them() {
    let mut gpu = mapped(PageSize::M2);
    let at = |index: u64| KERNEL_RAM + DATA + 3 * MIB + index * 8;
    let stream = |bytes| {
        Stream::new()
            .timestamp(at(0))
            .fill(KERNEL_RAM + DATA, bytes, 1)
            .timestamp(at(1))
    };
    let mut took = |bytes| {
        gpu.run(COPY, stream(bytes));
        gpu.wait_idle(COPY);
        let [first, second] = [0, 1].map(|index| gpu.ram64(DATA + 3 * MIB + index * 8));
        // Never ahead of the register.
        assert!(second <= busy(&mut gpu, COPY));
        second - first
    };
    took(4);
    let bytes = 1 << 20;
    let stream_time = picoseconds(bytes, cost::SYSTEM_BANDWIDTH) / 1000;
    let one_line = picoseconds(cost::LINE, cost::SYSTEM_BANDWIDTH) / 1000;
    let more = took(bytes) - took(4) + one_line;
    assert!(
        more.abs_diff(stream_time) <= 256 * cost::WALK_SYSTEM,
        "{more}, not {stream_time}"
    );
    gpu.assert_no_fault();

    // It is the time of the engine since its reset.
    gpu.write_engine(COPY, regs::ENGINE_CONTROL, regs::CONTROL_RESET);
    gpu.start_engine(COPY, 4096);
    gpu.run(COPY, Stream::new().timestamp(at(0)));
    assert!(gpu.ram64(DATA + 3 * MIB) < cost::PACKET + 2 * cost::SYSTEM_LATENCY);
}

#[test]
fn timestamps_fault_as_fences_do() {
    for (address, reason) in [
        (KERNEL_RAM + DATA + 4, fault::MISALIGNED),
        (1 << 44, fault::NOT_PRESENT),
    ] {
        let mut gpu = Gpu::new();
        gpu.submit(COPY, &Stream::new().timestamp(address));
        gpu.wait_halted(COPY);
        let found = gpu.fault().unwrap();
        assert_eq!((found.address, found.reason), (address, reason));
        assert_eq!((found.space, found.access), (0, fault::ACCESS_WRITE));
    }
}

#[test]
fn counts_from_the_reset() {
    let mut gpu = Gpu::new();
    assert_eq!(busy(&mut gpu, COPY), 0);
    for engine in [COPY, RENDER] {
        gpu.run(engine, Stream::new().nop(1));
        gpu.wait_idle(engine);
    }
    let render = busy(&mut gpu, RENDER);
    assert!(render > 0);
    gpu.write_engine(COPY, regs::ENGINE_CONTROL, regs::CONTROL_RESET);
    assert_eq!(busy(&mut gpu, COPY), 0);
    assert_eq!(busy(&mut gpu, RENDER), render);
    gpu.write(regs::RESET, regs::RESET_MAGIC);
    assert_eq!(busy(&mut gpu, RENDER), 0);
}

#[test]
fn what_was_done_before_a_fault_counts() {
    let mut gpu = mapped(PageSize::K4);
    gpu.run_ib(COPY, SPACE, &Stream::new().fill(SYSTEM, 8 * MIB, 1), 1);
    assert!(gpu.fault().is_some());
    wait_for("an idle engine", || !gpu.busy(COPY));
    let whole = picoseconds(4 * MIB, cost::SYSTEM_BANDWIDTH) / 1000;
    assert!(busy(&mut gpu, COPY) > whole);
}
