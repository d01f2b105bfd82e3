// SPDX-License-Identifier: GPL-2.0

//! Rings, doorbells, write-back, fences and semaphores.

use std::thread;
use std::time::{Duration, Instant};

use softgpu::abi::{limits, pte, regs};

use crate::gpu::{
    COPY, DATA, Gpu, KERNEL_RAM, KERNEL_VRAM, PROMPT, PageSize, RENDER, RING_SIZE, USER_IB,
    wait_for,
};
use crate::stream::Stream;

const RAM_DATA: u64 = KERNEL_RAM + DATA;
const SPACE: u32 = 1;
/// All that is below the indirect buffer.
const HUGE: u64 = USER_IB;

fn control(gpu: &mut Gpu, engine: usize, value: u32) {
    gpu.write_engine(engine, regs::ENGINE_CONTROL, value);
}

/// Starts a fill that takes many minutes, in an indirect buffer.
fn start_huge_fill(gpu: &mut Gpu) {
    gpu.new_space(SPACE);
    // One table of 2 MiB sparse pages, seen from many addresses.
    gpu.map(
        SPACE,
        0,
        0,
        1 << 30,
        pte::SPARSE | pte::WRITABLE,
        PageSize::M2,
    );
    for (level, end) in [(2, 1 << 39), (3, HUGE)] {
        let first = gpu.entry(SPACE, 0, level);
        let table = gpu.ram64(first);
        for at in 1..(end >> (12 + 9 * level)) {
            gpu.set_ram64(first + at * 8, table);
        }
    }
    gpu.start_ib(COPY, SPACE, &Stream::new().fill(0, HUGE, 1), 1);
    wait_for("a busy engine", || gpu.busy(COPY));
    thread::sleep(Duration::from_millis(5));
}

#[test]
fn head_and_writeback_follow() {
    let mut gpu = Gpu::new();
    assert!(!gpu.busy(COPY));
    gpu.submit(COPY, &Stream::new().nop(3).nop(5));
    gpu.wait_idle(COPY);
    assert_eq!(gpu.read_engine(COPY, regs::RING_HEAD), 32);
    assert_eq!(gpu.read_engine(COPY, regs::RING_TAIL), 32);
    assert_eq!(gpu.writeback(COPY), 32);
    assert_eq!(gpu.read_engine(RENDER, regs::RING_HEAD), 0);

    // A waiting packet is the head, with those before it done.
    gpu.submit(COPY, &Stream::new().nop(1).wait(RAM_DATA, 1));
    wait_for("the head", || gpu.read_engine(COPY, regs::RING_HEAD) == 36);
    assert!(gpu.busy(COPY));
    gpu.set_ram64(DATA, 1);
    gpu.wait_idle(COPY);
    assert_eq!(gpu.writeback(COPY), 36 + 20);
    assert_eq!(gpu.read_engine(COPY, regs::RING_HEAD), 36 + 20);
}

#[test]
fn no_writeback_unless_asked() {
    let mut gpu = Gpu::new();
    control(&mut gpu, COPY, regs::CONTROL_RESET);
    let writeback = gpu.engine(COPY, regs::WRITEBACK_LO);
    gpu.write_pair(writeback, 0);
    control(&mut gpu, COPY, regs::CONTROL_ENABLE);
    gpu.start_after_reset(COPY, &Stream::new().nop(1));
    gpu.wait_idle(COPY);
    assert_eq!(gpu.writeback(COPY), 0);
    assert_eq!(gpu.read_engine(COPY, regs::RING_HEAD), 4);
    gpu.assert_no_fault();
}

#[test]
fn all_ring_sizes() {
    for size in [4096, 65536] {
        let mut gpu = Gpu::new();
        gpu.start_engine(RENDER, size);
        for _ in 0..3 {
            gpu.run(RENDER, Stream::new().nop(900).write(RAM_DATA, &[size]));
        }
        assert_eq!(gpu.ram64(DATA) as u32, size);
        gpu.assert_no_fault();
    }
}

#[test]
fn rings_that_are_not_valid_halt() {
    let mut gpu = Gpu::new();
    for (register, value) in [
        (regs::RING_SIZE, 0),
        (regs::RING_SIZE, 2048),
        (regs::RING_SIZE, 4100),
        (regs::RING_SIZE, 2 << 20),
        (regs::RING_BASE_LO, 0x800),
        (regs::RING_BASE_HI, 0x1_0000),
        (regs::RING_BASE_HI, u32::MAX),
        (regs::WRITEBACK_LO, 4),
        (regs::WRITEBACK_HI, 0x1_0000),
    ] {
        gpu.start_engine(COPY, RING_SIZE);
        control(&mut gpu, COPY, 0);
        gpu.write_engine(COPY, register, value);
        assert!(!gpu.halted(COPY));
        control(&mut gpu, COPY, regs::CONTROL_ENABLE);
        assert!(gpu.halted(COPY), "{register:#x} {value:#x}");
        assert!(!gpu.busy(COPY));
        gpu.assert_no_fault();
    }
    gpu.start_engine(COPY, RING_SIZE);
    gpu.run(COPY, Stream::new());
}

#[test]
fn ring_registers_are_locked_while_enabled() {
    let mut gpu = Gpu::new();
    let registers = [
        regs::RING_SIZE,
        regs::RING_BASE_LO,
        regs::RING_BASE_HI,
        regs::WRITEBACK_LO,
        regs::WRITEBACK_HI,
    ];
    for register in registers {
        let before = gpu.read_engine(COPY, register);
        gpu.write_engine(COPY, register, 0x10_0000);
        assert_eq!(gpu.read_engine(COPY, register), before);
    }
    control(&mut gpu, COPY, 0);
    for register in registers {
        gpu.write_engine(COPY, register, 0x10_0000);
        assert_eq!(gpu.read_engine(COPY, register), 0x10_0000);
    }
}

#[test]
fn ring_registers_are_locked_until_the_packet_under_way_is_done() {
    let mut gpu = Gpu::new();
    let size = 2 * RING_SIZE;
    gpu.start_engine(COPY, size);
    // With a full queue of faults, the packet that faults next is under way until one is taken.
    let faults = limits::FAULT_QUEUE;
    let buffer = |stream: Stream| stream.indirect(SPACE, 1, USER_IB, 1);
    gpu.submit(
        RENDER,
        &(0..faults).fold(Stream::new(), |stream, _| buffer(stream)),
    );
    wait_for("faults", || gpu.read(regs::FAULT_COUNT) == faults);
    // It goes beyond the end of a smaller ring.
    let before = (0..RING_SIZE / 8 - 1).fold(Stream::new(), |stream, _| stream.nop(2));
    gpu.submit(COPY, &buffer(before));
    wait_for("the head", || {
        gpu.read_engine(COPY, regs::RING_HEAD) == RING_SIZE - 8
    });
    wait_for("a packet under way", || {
        control(&mut gpu, COPY, regs::CONTROL_ENABLE);
        control(&mut gpu, COPY, 0);
        gpu.busy(COPY)
    });
    let ring: Vec<usize> = (regs::RING_SIZE..=regs::WRITEBACK_HI).step_by(4).collect();
    let read = |gpu: &mut Gpu| -> Vec<u32> {
        let registers = ring.iter();
        registers.map(|at| gpu.read_engine(COPY, *at)).collect()
    };
    let were = read(&mut gpu);
    for register in &ring {
        gpu.write_engine(COPY, *register, RING_SIZE);
    }
    assert_eq!(read(&mut gpu), were);
    // Enabled again, it goes on by the ring that it had.
    control(&mut gpu, COPY, regs::CONTROL_ENABLE);
    gpu.write(regs::FAULT_POP, 0);
    gpu.wait_idle(COPY);
    assert!(!gpu.halted(COPY));
    assert_eq!(gpu.read_engine(COPY, regs::RING_HEAD), gpu.tail(COPY));
    assert!(gpu.tail(COPY) > RING_SIZE);
    control(&mut gpu, COPY, 0);
    gpu.write_engine(COPY, regs::RING_SIZE, RING_SIZE);
    assert_eq!(gpu.read_engine(COPY, regs::RING_SIZE), RING_SIZE);
    control(&mut gpu, COPY, regs::CONTROL_ENABLE);
    assert!(gpu.halted(COPY), "the head is outside of it");
    control(&mut gpu, COPY, regs::CONTROL_RESET);
    assert!(!gpu.busy(COPY) && !gpu.halted(COPY));
}

#[test]
fn doorbells_that_are_no_tail_are_ignored() {
    let mut gpu = Gpu::new();
    for tail in [1, 2, 3, 6, RING_SIZE, RING_SIZE + 4, u32::MAX, 0x8000_0000] {
        gpu.write(regs::DOORBELL + COPY * 4, tail);
        assert_eq!(gpu.read_engine(COPY, regs::RING_TAIL), 0, "{tail:#x}");
    }
    gpu.run(COPY, Stream::new());
    gpu.assert_no_fault();
}

#[test]
fn packets_wait_for_enable() {
    let mut gpu = Gpu::new();
    control(&mut gpu, COPY, 0);
    let value = gpu.start(COPY, Stream::new().nop(1));
    thread::sleep(Duration::from_millis(5));
    assert_eq!(gpu.fence(COPY), 0);
    assert!(!gpu.busy(COPY));
    control(&mut gpu, COPY, regs::CONTROL_ENABLE);
    gpu.finish(COPY, value);
}

#[test]
fn fences_come_after_what_is_before_them() {
    let mut gpu = Gpu::new();
    let bytes = 1u64 << 20;
    for round in 1..50u32 {
        let stream = Stream::new().fill(RAM_DATA, bytes, round);
        let value = gpu.start(COPY, stream);
        gpu.finish(COPY, value);
        let last = gpu.ram64(DATA + bytes - 8);
        assert_eq!(last, u64::from(round) << 32 | u64::from(round));
    }
}

#[test]
fn engines_wait_for_each_other() {
    let mut gpu = Gpu::new();
    let semaphore = |n: u64| RAM_DATA + n * 8;
    let cell = KERNEL_VRAM + 64;
    // Ping-pong over one cell: each engine writes after the other one has.
    let (mut render, mut copy) = (Stream::new(), Stream::new());
    for round in 1..=20u64 {
        render = render
            .wait(semaphore(1), round - 1)
            .write(cell, &[round as u32 * 2 - 1])
            .fence(semaphore(0), round, false);
        copy = copy
            .wait(semaphore(0), round)
            .copy(cell, RAM_DATA + 64 + round * 4, 4)
            .write(cell, &[round as u32 * 2])
            .fence(semaphore(1), round, false);
    }
    let last_copy = gpu.start(COPY, copy);
    thread::sleep(Duration::from_millis(2));
    let last_render = gpu.start(RENDER, render);
    gpu.finish(COPY, last_copy);
    gpu.finish(RENDER, last_render);
    for round in 1..=20u64 {
        let seen = gpu.ram_at(DATA + 64 + round * 4, 4);
        assert_eq!(
            crate::gpu::content(seen),
            (round as u32 * 2 - 1).to_le_bytes()
        );
    }
    gpu.assert_no_fault();
}

#[test]
fn wait_compares_unsigned_and_at_least() {
    let mut gpu = Gpu::new();
    gpu.set_ram64(DATA, u64::MAX);
    gpu.run(
        COPY,
        Stream::new()
            .wait(RAM_DATA, 0)
            .wait(RAM_DATA, 5)
            .wait(RAM_DATA, u64::MAX),
    );
    gpu.set_ram64(DATA, 4);
    let value = gpu.start(COPY, Stream::new().wait(RAM_DATA, 5));
    thread::sleep(Duration::from_millis(5));
    assert_eq!(gpu.fence(COPY), value - 1);
    gpu.set_ram64(DATA, 7);
    gpu.finish(COPY, value);
}

#[test]
fn a_disabled_wait_can_be_resumed() {
    let mut gpu = Gpu::new();
    let value = gpu.start(COPY, Stream::new().wait(RAM_DATA, 1));
    wait_for("a busy engine", || gpu.busy(COPY));
    control(&mut gpu, COPY, 0);
    gpu.wait_idle(COPY);
    gpu.set_ram64(DATA, 1);
    thread::sleep(Duration::from_millis(2));
    assert_eq!(gpu.fence(COPY), value - 1);
    control(&mut gpu, COPY, regs::CONTROL_ENABLE);
    gpu.finish(COPY, value);
}

#[test]
fn reset_stops_a_wait() {
    let mut gpu = Gpu::new();
    gpu.start(COPY, Stream::new().wait(RAM_DATA, 1));
    wait_for("a busy engine", || gpu.busy(COPY));
    control(&mut gpu, COPY, regs::CONTROL_RESET | regs::CONTROL_ENABLE);
    assert!(!gpu.busy(COPY));
    assert_eq!(gpu.read_engine(COPY, regs::ENGINE_CONTROL), 0);
    assert_eq!(gpu.read_engine(COPY, regs::RING_HEAD), 0);
    assert_eq!(gpu.read_engine(COPY, regs::RING_TAIL), 0);
    assert_eq!(gpu.read_engine(COPY, regs::RING_SIZE), RING_SIZE, "kept");
    assert_eq!(gpu.fence(COPY), 0);
    // The next packets are those of the new ring alone.
    gpu.start_engine(COPY, RING_SIZE);
    gpu.run(COPY, Stream::new());
}

#[test]
fn reset_stops_a_huge_fill() {
    let mut gpu = Gpu::new();
    start_huge_fill(&mut gpu);
    let fence = gpu.fence(COPY);
    let start = Instant::now();
    control(&mut gpu, COPY, regs::CONTROL_RESET);
    assert!(start.elapsed() < PROMPT);
    assert!(!gpu.busy(COPY));
    assert_eq!(gpu.fence(COPY), fence, "the ring did not go on");
    gpu.assert_no_fault();
    gpu.start_engine(COPY, RING_SIZE);
    gpu.run(COPY, Stream::new().write(RAM_DATA, &[1]));
}

#[test]
fn a_client_that_leaves_stops_a_huge_fill() {
    let mut gpu = Gpu::new();
    start_huge_fill(&mut gpu);
    let start = Instant::now();
    drop(gpu);
    assert!(start.elapsed() < PROMPT);
}
