// SPDX-License-Identifier: GPL-2.0

//! Error injection, and counters.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::EventfdFlags;
use serde_json::Value;
use softgpu::abi::regs;
use vfio_bindings::bindings::vfio::{VFIO_IRQ_SET_ACTION_TRIGGER, VFIO_IRQ_SET_DATA_EVENTFD};
use vm_memory::Bytes;

use crate::gpu::{
    CONFIG, COPY, COPY2, DATA, Gpu, KERNEL_RAM, KERNEL_VRAM, MSIX, PROMPT, PageSize, RAM, RENDER,
    RING_SIZE, VISIBLE_SIZE, content, wait_for,
};
use crate::stream::Stream;
use softgpu::abi::pte;

const RAM_DATA: u64 = KERNEL_RAM + DATA;
const SHORT: Duration = Duration::from_millis(20);

fn demand(gpu: &Gpu, command: &str) {
    assert_eq!(gpu.control(command), "ok", "{command}");
}

/// The counters of GPU 0.
fn counters_of(gpu: &Gpu) -> Value {
    serde_json::from_str(&gpu.control("counters 0")).unwrap()
}

fn hung(gpu: &Gpu, engine: usize) -> bool {
    counters_of(gpu)["engines"][engine]["hung"] == true
}

/// Starts a packet that does not end.
fn start_hung(gpu: &mut Gpu, engine: usize) {
    let value = gpu.start(engine, Stream::new().write(RAM_DATA, &[1]));
    wait_for("a hang", || hung(gpu, engine));
    assert!(gpu.busy(engine));
    assert_eq!(gpu.fence(engine), value - 1);
    assert_eq!(gpu.ram64(DATA), 0, "it hangs before the packet");
}

fn reset_engine(gpu: &mut Gpu, engine: usize) {
    gpu.write_engine(engine, regs::ENGINE_CONTROL, regs::CONTROL_RESET);
}

#[test]
fn an_engine_hangs_once() {
    let mut gpu = Gpu::new();
    demand(&gpu, "hang 0 1");
    start_hung(&mut gpu, COPY);
    // Others do not care, and it does not react to being disabled.
    for engine in [RENDER, COPY2] {
        gpu.run(engine, Stream::new());
    }
    gpu.write_engine(COPY, regs::ENGINE_CONTROL, 0);
    assert!(gpu.busy(COPY));
    reset_engine(&mut gpu, COPY);
    assert!(!gpu.busy(COPY) && !hung(&gpu, COPY));
    gpu.start_engine(COPY, RING_SIZE);
    gpu.run(COPY, Stream::new().write(RAM_DATA, &[1]));
    assert_eq!(gpu.ram64(DATA), 1);
    gpu.assert_no_fault();
}

#[test]
fn an_engine_hangs_in_a_buffer() {
    let mut gpu = Gpu::new();
    gpu.new_space(1);
    let (va, bytes) = (2 << 20, 2 << 20);
    let flags = pte::SYSTEM | pte::WRITABLE;
    gpu.map(1, va, RAM + DATA, bytes, flags, PageSize::M2);
    let mut buffer = Stream::new();
    for _ in 0..40_000 {
        buffer = buffer.fill(va, bytes, 1);
    }
    let value = gpu.start_ib(COPY, 1, &buffer, 3);
    // Behind the INDIRECT packet, all that is next for a long time is the buffer's.
    wait_for("a packet of the buffer", || {
        counters_of(&gpu)["engines"][COPY]["packets"].as_u64() > Some(1)
    });
    demand(&gpu, "hang 0 1");
    wait_for("a hang", || hung(&gpu, COPY));
    gpu.set_ram64(DATA, 7);
    thread::sleep(SHORT);
    assert_eq!(gpu.ram64(DATA), 7);
    assert_eq!(gpu.fence(COPY), value - 1);
    reset_engine(&mut gpu, COPY);
    assert!(!gpu.busy(COPY));
}

#[test]
fn a_fatal_hang_needs_a_reset_of_the_device() {
    let mut gpu = Gpu::new();
    demand(&gpu, "hang 0 0 fatal");
    start_hung(&mut gpu, RENDER);
    reset_engine(&mut gpu, RENDER);
    assert!(gpu.busy(RENDER) && hung(&gpu, RENDER));
    gpu.write(regs::RESET, regs::RESET_MAGIC);
    assert!(!gpu.busy(RENDER));
    gpu.prepare();
    gpu.run(RENDER, Stream::new().write(RAM_DATA, &[1]));
}

#[test]
fn a_client_can_leave_a_hung_gpu() {
    let mut gpu = Gpu::new();
    demand(&gpu, "hang 0 1 fatal");
    start_hung(&mut gpu, COPY);
    let start = Instant::now();
    drop(gpu);
    assert!(start.elapsed() < PROMPT);
}

#[test]
fn a_slow_engine_takes_longer() {
    let mut gpu = Gpu::new();
    let bytes = 4 << 20;
    // Enough that wake-ups and accesses to registers, which are no slower, matter little.
    let fills = (0..8).fold(Stream::new(), |stream, _| stream.fill(RAM_DATA, bytes, 3));
    let time = |gpu: &mut Gpu| {
        let start = Instant::now();
        gpu.run(COPY, fills.clone());
        start.elapsed()
    };
    let normal = (0..5).map(|_| time(&mut gpu)).min().unwrap();
    let busy = gpu.read_engine(COPY, regs::BUSY_LO) / 5;
    demand(&gpu, "slow 0 1 50");
    let before = gpu.read_engine(COPY, regs::BUSY_LO);
    let slow = time(&mut gpu);
    assert!(slow > normal * 2, "{slow:?} {normal:?}");
    let spent = gpu.read_engine(COPY, regs::BUSY_LO) - before;
    assert!(spent.abs_diff(busy) < busy / 10, "the same in device time");

    // A reset does not wait for it.
    demand(&gpu, "slow 0 1 1000000");
    gpu.start(COPY, fills.clone());
    wait_for("a busy engine", || gpu.busy(COPY));
    let start = Instant::now();
    reset_engine(&mut gpu, COPY);
    assert!(start.elapsed() < PROMPT);
    demand(&gpu, "slow 0 1 1");
    gpu.start_engine(COPY, RING_SIZE);
    wait_for("normal speed", || time(&mut gpu) < slow);
}

#[test]
fn lost_interrupts() {
    let mut gpu = Gpu::new();
    let flags = EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC;
    let mut event: File = rustix::event::eventfd(0, flags).unwrap().into();
    let vector = regs::VECTOR_ENGINE0 + COPY as u32;
    let trigger = VFIO_IRQ_SET_ACTION_TRIGGER | VFIO_IRQ_SET_DATA_EVENTFD;
    let fd = event.as_raw_fd();
    gpu.client()
        .set_irqs(MSIX, trigger, vector, 1, &[fd])
        .unwrap();
    gpu.write(regs::INT_ENABLE, u32::MAX);
    demand(&gpu, "lose 0 2 2");
    let mut seen = Vec::new();
    for _ in 0..4 {
        let fence = Stream::new().fence(Gpu::fence_address(COPY), 0, true);
        gpu.submit(COPY, &fence);
        gpu.run(COPY, Stream::new());
        assert_eq!(gpu.read(regs::INT_STATUS), 1 << vector, "only the message");
        gpu.write(regs::INT_CLEAR, 1 << vector);
        seen.push(event.read(&mut [0; 8]).is_ok());
    }
    assert_eq!(seen, [false, false, true, true]);
}

#[test]
fn surprise_removal() {
    let mut gpu = Gpu::new();
    gpu.vram_at(0, 8).write_obj(7u64, 0).unwrap();
    gpu.start(COPY, Stream::new().wait(RAM_DATA, 1));
    wait_for("a busy engine", || gpu.busy(COPY));
    demand(&gpu, "remove 0");
    for register in [
        regs::ID,
        regs::INT_STATUS,
        regs::FAULT_COUNT,
        regs::DOORBELL,
        0xe000,
        0xfff8,
    ] {
        assert_eq!(gpu.read(register), u32::MAX, "{register:#x}");
    }
    for offset in [0, 4, 0x44, 0x100] {
        assert_eq!(gpu.config_read(offset), u32::MAX);
    }
    assert_eq!(content(gpu.vram_at(0, 8)), [0xff; 8]);
    assert_eq!(
        content(gpu.vram_at(VISIBLE_SIZE - 8, 8)),
        [0xff; 8],
        "up to the end of the window"
    );

    // Nothing brings it back, and it leaves memory alone.
    gpu.set_ram64(DATA, 1);
    let fence = gpu.fence(COPY);
    gpu.write(regs::RESET, regs::RESET_MAGIC);
    gpu.set_bus_master(true);
    gpu.region_write(CONFIG, 0x69, &[0xa8]);
    gpu.device_reset();
    gpu.set_bus_master(true);
    gpu.write(regs::DOORBELL + COPY * 4, 0);
    thread::sleep(SHORT);
    assert_eq!(gpu.read(regs::ID), u32::MAX);
    assert_eq!(gpu.fence(COPY), fence);
}

#[test]
fn power_loss() {
    let mut gpu = Gpu::new();
    gpu.vram_at(0, 8).write_obj(7u64, 0).unwrap();
    let value = gpu.start(COPY, Stream::new().wait(RAM_DATA, 1));
    wait_for("a busy engine", || gpu.busy(COPY));
    demand(&gpu, "power-loss 0");
    assert_eq!(gpu.read(regs::ID), regs::ID_MAGIC);
    assert_eq!(gpu.read(regs::RESET_COUNT), 1);
    assert_eq!(gpu.read_engine(COPY, regs::RING_SIZE), 0);
    assert_ne!(gpu.vram_at(0, 8).read_obj::<u64>(0).unwrap(), 7);
    gpu.set_ram64(DATA, 1);
    thread::sleep(SHORT);
    assert!(gpu.fence(COPY) < value);
    gpu.prepare();
    gpu.run(COPY, Stream::new());
}

#[test]
fn counters() {
    let mut gpu = Gpu::new();
    gpu.run(COPY2, Stream::new().copy(KERNEL_VRAM, RAM_DATA, 10_000));
    gpu.wait_idle(COPY2);
    let busy = gpu.read_engine(COPY2, regs::BUSY_LO);
    let counters = counters_of(&gpu);
    assert_eq!(counters["removed"], false);
    assert_eq!(counters["resets"], 0);
    let engines = counters["engines"].as_array().unwrap();
    let classes: Vec<&Value> = engines.iter().map(|engine| &engine["class"]).collect();
    assert_eq!(classes, ["render", "copy", "copy"]);
    assert_eq!(engines[RENDER]["busy_ns"], 0);
    assert_eq!(engines[RENDER]["packets"], 0);

    let engine = &engines[COPY2];
    assert_eq!(engine["hung"], false);
    assert_eq!(engine["busy_ns"], busy);
    assert_eq!(engine["packets"], 2, "and the fence");
    assert_eq!(engine["fetched"]["system"], (7 + 5) * 4);
    assert_eq!(engine["read"]["vram"], 10_000);
    assert_eq!(engine["read"]["system"], 0);
    assert_eq!(engine["written"]["system"], 10_000 + 8);
    // The ring, VRAM, three pages of guest memory, the fence's.
    assert_eq!(engine["tlb_misses"], 6);
    assert!(engine["tlb_hits"].as_u64().unwrap() >= 1);
    reset_engine(&mut gpu, COPY2);
    let counters = counters_of(&gpu);
    assert_eq!(counters["engines"][COPY2]["packets"], 0);
}
