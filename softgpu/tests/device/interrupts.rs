// SPDX-License-Identifier: GPL-2.0

//! Pending and enabled bits, and MSI-X messages.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, RawFd};
use std::thread;
use std::time::Duration;

use rustix::event::EventfdFlags;
use softgpu::abi::{pci, regs};
use vfio_bindings::bindings::vfio::{
    VFIO_IRQ_SET_ACTION_TRIGGER, VFIO_IRQ_SET_DATA_EVENTFD, VFIO_IRQ_SET_DATA_NONE,
};

use crate::gpu::{BAR0, COPY, Gpu, MSIX, RENDER, wait_for};
use crate::stream::Stream;

const EVENTS: u32 = VFIO_IRQ_SET_ACTION_TRIGGER | VFIO_IRQ_SET_DATA_EVENTFD;
const COPY_VECTOR: u32 = regs::VECTOR_ENGINE0 + COPY as u32;
const RENDER_VECTOR: u32 = regs::VECTOR_ENGINE0 + RENDER as u32;

struct Event(File);

impl Event {
    fn new() -> Self {
        let flags = EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC;
        Self(rustix::event::eventfd(0, flags).unwrap().into())
    }

    fn fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// Messages since the last look.
    fn taken(&self) -> u64 {
        let mut count = [0; 8];
        // Without messages there is nothing to read, and the count stays 0.
        let _ = (&self.0).read_exact(&mut count);
        u64::from_ne_bytes(count)
    }
}

fn connected() -> (Gpu, Vec<Event>) {
    let mut gpu = Gpu::new();
    let events: Vec<Event> = (0..3).map(|_| Event::new()).collect();
    let fds: Vec<RawFd> = events.iter().map(Event::fd).collect();
    gpu.client().set_irqs(MSIX, EVENTS, 0, 3, &fds).unwrap();
    (gpu, events)
}

/// Runs a fence with an interrupt to its end.
fn interrupt(gpu: &mut Gpu, engine: usize) {
    let fence = Stream::new().fence(Gpu::fence_address(engine), 0, true);
    // The one behind it is done after the interrupt of the first.
    gpu.submit(engine, &fence);
    gpu.run(engine, Stream::new());
}

#[test]
fn a_fence_raises_its_engines_vector() {
    let (mut gpu, events) = connected();
    gpu.write(regs::INT_ENABLE, u32::MAX);
    assert_eq!(gpu.read(regs::INT_ENABLE), (1 << 9) - 1);
    gpu.run(COPY, Stream::new());
    assert_eq!(
        gpu.read(regs::INT_STATUS),
        0,
        "a fence without an interrupt"
    );
    interrupt(&mut gpu, COPY);
    let taken: Vec<u64> = events.iter().map(Event::taken).collect();
    assert_eq!(taken, [0, 0, 1]);
    assert_eq!(gpu.read(regs::INT_STATUS), 1 << COPY_VECTOR);
    interrupt(&mut gpu, RENDER);
    let taken: Vec<u64> = events.iter().map(Event::taken).collect();
    assert_eq!(taken, [0, 1, 0]);
    let both = 1 << COPY_VECTOR | 1 << RENDER_VECTOR;
    assert_eq!(gpu.read(regs::INT_STATUS), both);
    gpu.write(regs::INT_CLEAR, 1 << COPY_VECTOR);
    assert_eq!(gpu.read(regs::INT_STATUS), 1 << RENDER_VECTOR);
}

#[test]
fn every_event_is_a_message_while_enabled() {
    let (mut gpu, events) = connected();
    gpu.write(regs::INT_ENABLE, 1 << COPY_VECTOR);
    for _ in 0..5 {
        interrupt(&mut gpu, COPY);
        assert_eq!(events[COPY_VECTOR as usize].taken(), 1);
    }
}

#[test]
fn pending_until_enabled() {
    let (mut gpu, events) = connected();
    let event = &events[COPY_VECTOR as usize];
    interrupt(&mut gpu, COPY);
    interrupt(&mut gpu, COPY);
    assert_eq!(event.taken(), 0);
    assert_eq!(gpu.read(regs::INT_STATUS), 1 << COPY_VECTOR);
    gpu.write(regs::INT_ENABLE, 1 << RENDER_VECTOR);
    assert_eq!(event.taken(), 0);
    gpu.write(regs::INT_ENABLE, 1 << COPY_VECTOR);
    assert_eq!(event.taken(), 1, "once for all that was pending");
    gpu.write(regs::INT_ENABLE, 1 << COPY_VECTOR);
    assert_eq!(event.taken(), 0, "it was enabled before");

    gpu.write(regs::INT_ENABLE, 0);
    gpu.write(regs::INT_CLEAR, 1 << COPY_VECTOR);
    gpu.write(regs::INT_ENABLE, 1 << COPY_VECTOR);
    assert_eq!(event.taken(), 0, "nothing is pending any more");
}

#[test]
fn faults_have_their_vector() {
    let (mut gpu, events) = connected();
    gpu.write(regs::INT_ENABLE, 1 << regs::VECTOR_FAULT);
    gpu.submit(COPY, &Stream::new().raw(&[0]));
    wait_for("a fault", || gpu.read(regs::FAULT_COUNT) == 1);
    wait_for("a message", || events[0].taken() == 1);
    assert_eq!(gpu.read(regs::INT_STATUS), 1 << regs::VECTOR_FAULT);
}

#[test]
fn vectors_are_connected_one_by_one_and_disconnected() {
    let (mut gpu, events) = connected();
    let event = &events[COPY_VECTOR as usize];
    gpu.write(regs::INT_ENABLE, u32::MAX);

    // A range without descriptors is disconnected; what happens meanwhile is not lost.
    let client = gpu.client();
    client.set_irqs(MSIX, EVENTS, COPY_VECTOR, 1, &[]).unwrap();
    interrupt(&mut gpu, COPY);
    assert_eq!(event.taken(), 0);
    let client = gpu.client();
    client
        .set_irqs(MSIX, EVENTS, COPY_VECTOR, 1, &[event.fd()])
        .unwrap();
    assert_eq!(event.taken(), 1);
    interrupt(&mut gpu, RENDER);
    assert_eq!(events[RENDER_VECTOR as usize].taken(), 1, "as it was");

    let none = VFIO_IRQ_SET_ACTION_TRIGGER | VFIO_IRQ_SET_DATA_NONE;
    gpu.client().set_irqs(MSIX, none, 1, 1, &[]).unwrap();
    assert_eq!(events[1].taken(), 1, "a client may trigger");
    gpu.client().set_irqs(MSIX, none, 0, 0, &[]).unwrap();
    interrupt(&mut gpu, COPY);
    interrupt(&mut gpu, RENDER);
    assert_eq!(events.iter().map(Event::taken).sum::<u64>(), 0);

    // Ranges that leave the table.
    let fds = [event.fd(), event.fd()];
    gpu.client().set_irqs(MSIX, EVENTS, 8, 2, &fds).unwrap();
    gpu.client()
        .set_irqs(MSIX, EVENTS, u32::MAX, 2, &fds)
        .unwrap();
    gpu.client()
        .set_irqs(MSIX, none, u32::MAX, u32::MAX, &[])
        .unwrap();
    gpu.client()
        .set_irqs(0, EVENTS, 0, 1, &[event.fd()])
        .unwrap();
    assert_eq!(event.taken(), 0);
}

#[test]
fn messages_that_are_held_back_are_pending() {
    let (mut gpu, events) = connected();
    let pba = pci::MSIX_PBA as usize;
    let bit = 1 << COPY_VECTOR;
    interrupt(&mut gpu, COPY);
    assert_eq!(gpu.read(pba), 0, "not enabled, so no message is due");
    gpu.write(regs::INT_ENABLE, u32::MAX);
    assert_eq!(gpu.read(pba), 0, "sent");

    let client = gpu.client();
    client.set_irqs(MSIX, EVENTS, COPY_VECTOR, 1, &[]).unwrap();
    interrupt(&mut gpu, COPY);
    assert_eq!(gpu.read(pba), bit);
    let mut both = [0; 8];
    gpu.region_read(BAR0, pba as u64, &mut both);
    assert_eq!(u64::from_le_bytes(both), u64::from(bit));
    let event = &events[COPY_VECTOR as usize];
    let client = gpu.client();
    client
        .set_irqs(MSIX, EVENTS, COPY_VECTOR, 1, &[event.fd()])
        .unwrap();
    assert_eq!(gpu.read(pba), 0);
    event.taken();

    gpu.set_bus_master(false);
    gpu.submit(COPY, &Stream::new().nop(1));
    wait_for("a fault", || gpu.read(regs::FAULT_COUNT) == 1);
    wait_for("a message", || gpu.read(pba) == 1 << regs::VECTOR_FAULT);
    gpu.write(regs::INT_CLEAR, 1 << regs::VECTOR_FAULT);
    assert_eq!(gpu.read(pba), 0, "not due any more");
    gpu.set_bus_master(true);
    assert_eq!(events[0].taken(), 0);
}

#[test]
fn no_message_without_bus_mastering() {
    let (mut gpu, events) = connected();
    gpu.write(regs::INT_ENABLE, u32::MAX);
    gpu.set_bus_master(false);
    gpu.submit(COPY, &Stream::new().nop(1));
    wait_for("a fault", || gpu.read(regs::FAULT_COUNT) == 1);
    thread::sleep(Duration::from_millis(5));
    assert_eq!(events[0].taken(), 0);
    gpu.set_bus_master(true);
    wait_for("a message", || events[0].taken() == 1);
}
