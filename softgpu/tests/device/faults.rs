// SPDX-License-Identifier: GPL-2.0

//! Faults and their records.

use softgpu::abi::packet::{self as op, header};
use softgpu::abi::{fault, limits, pci, pte, regs};
use vm_memory::Bytes;

use crate::gpu::{
    COPY, DATA, Fault, Gpu, KERNEL_RAM, PageSize, RAM, RAM_SIZE, RENDER, SCRATCHPAD_SIZE, USER_IB,
    VRAM_SIZE, wait_for,
};
use crate::stream::Stream;

const SPACE: u32 = 5;
const TAG: u64 = 0xfeed_0000_0000_beef;
/// A page that may be written, and one behind it that is the test's.
const GOOD: u64 = 0x20_0000_0000;
const PAGE: u64 = GOOD + 4096;
/// The value that a packet behind a faulting one would write.
const AFTER: u32 = 0x600d_f00d;
const READ_WRITE: u64 = pte::WRITABLE | pte::SYSTEM;

fn user() -> Gpu {
    let mut gpu = Gpu::new();
    gpu.new_space(SPACE);
    gpu.map(SPACE, GOOD, RAM + DATA, 4096, READ_WRITE, PageSize::K4);
    gpu
}

/// Runs packets that fault in their address space, and checks that nothing after them ran.
#[track_caller]
fn expect(gpu: &mut Gpu, stream: Stream, access: u32, reason: u32, address: u64) {
    gpu.set_ram64(DATA + 4088, 0);
    let stream = stream.write(GOOD + 4088, &[AFTER]);
    gpu.run_ib(COPY, SPACE, &stream, TAG);
    let wanted = Fault {
        engine: COPY as u32,
        space: SPACE,
        access,
        reason,
        address,
        tag: TAG,
    };
    assert_eq!(gpu.fault(), Some(wanted));
    gpu.assert_no_fault();
    assert_ne!(
        gpu.ram64(DATA + 4088) as u32,
        AFTER,
        "packets after the fault"
    );
    assert!(!gpu.halted(COPY));
    assert_eq!(gpu.read(regs::INT_STATUS), 1 << regs::VECTOR_FAULT);
    gpu.write(regs::INT_CLEAR, u32::MAX);
}

fn write(address: u64) -> Stream {
    Stream::new().write(address, &[9, 9])
}

#[test]
fn not_present() {
    let mut gpu = user();
    let (read, write_access) = (fault::ACCESS_READ, fault::ACCESS_WRITE);
    expect(
        &mut gpu,
        write(PAGE),
        write_access,
        fault::NOT_PRESENT,
        PAGE,
    );
    // At the page where it happens, not at the start of the range.
    let copy = Stream::new().copy(GOOD + 8, PAGE + 4096, 8);
    expect(
        &mut gpu,
        copy,
        write_access,
        fault::NOT_PRESENT,
        PAGE + 4096,
    );
    let copy = Stream::new().copy(GOOD + 1000, GOOD + 8, 4096);
    expect(&mut gpu, copy, read, fault::NOT_PRESENT, PAGE);
    let fill = Stream::new().fill(GOOD + 1000, 8000, 1);
    expect(&mut gpu, fill, write_access, fault::NOT_PRESENT, PAGE);
    let checksum = Stream::new().checksum(PAGE + 4, 4, GOOD);
    expect(&mut gpu, checksum, read, fault::NOT_PRESENT, PAGE + 4);
    let checksum = Stream::new().checksum(GOOD, 4, PAGE + 8);
    expect(
        &mut gpu,
        checksum,
        write_access,
        fault::NOT_PRESENT,
        PAGE + 8,
    );

    // Whatever an entry holds that is not valid.
    let entry = gpu.entry(SPACE, PAGE, 0);
    gpu.set_ram64(entry, !pte::VALID);
    expect(
        &mut gpu,
        write(PAGE),
        write_access,
        fault::NOT_PRESENT,
        PAGE,
    );
}

#[test]
fn rectangles_fault_at_their_row() {
    let mut gpu = user();
    let stream = Stream::new().rect_fill(GOOD, 2048, [0, 0, 4, 4], 1);
    gpu.run_ib(RENDER, SPACE, &stream, TAG);
    let fault = gpu.fault().unwrap();
    assert_eq!((fault.address, fault.reason), (PAGE, fault::NOT_PRESENT));
}

#[test]
fn not_writable() {
    let mut gpu = user();
    gpu.map(
        SPACE,
        PAGE,
        RAM + DATA + 4096,
        4096,
        pte::SYSTEM,
        PageSize::K4,
    );
    gpu.set_ram64(DATA + 4096, 0x55);
    expect(
        &mut gpu,
        write(PAGE),
        fault::ACCESS_WRITE,
        fault::NOT_WRITABLE,
        PAGE,
    );
    // Whether an atomic would change the word or not.
    for atomic in [
        Stream::new().atomic_add(PAGE, 1, 0),
        Stream::new().atomic_swap(PAGE, 0x54, 1, 0),
    ] {
        expect(
            &mut gpu,
            atomic,
            fault::ACCESS_WRITE,
            fault::NOT_WRITABLE,
            PAGE,
        );
    }
    assert_eq!(gpu.ram64(DATA + 4096), 0x55);
    gpu.run_ib(COPY, SPACE, &Stream::new().copy(PAGE, GOOD, 8), TAG);
    gpu.assert_no_fault();

    let sparse = PAGE + 4096;
    gpu.map(SPACE, sparse, 0, 4096, pte::SPARSE, PageSize::K4);
    expect(
        &mut gpu,
        write(sparse),
        fault::ACCESS_WRITE,
        fault::NOT_WRITABLE,
        sparse,
    );
}

#[test]
fn atomics_leave_the_device_only_if_they_are_allowed_to() {
    let mut gpu = user();
    gpu.map(SPACE, PAGE, 0x1000, 4096, pte::WRITABLE, PageSize::K4);
    gpu.set_ram64(DATA, 5);
    for atomic in [
        Stream::new().atomic_add(GOOD, 1, 0),
        // Whether it would change the word or not.
        Stream::new().atomic_swap(GOOD, 4, 6, 0),
    ] {
        expect(
            &mut gpu,
            atomic,
            fault::ACCESS_WRITE,
            fault::NO_ATOMICS,
            GOOD,
        );
    }
    assert_eq!(gpu.ram64(DATA), 5);
    // In its own memory they need no permission; the old value is an ordinary write.
    let own = Stream::new().atomic_add(PAGE, 7, GOOD);
    gpu.run_ib(COPY, SPACE, &own, TAG);
    gpu.assert_no_fault();
    assert_ne!(gpu.ram64(DATA), 5);
    gpu.set_ram64(DATA, 5);
    gpu.set_system_atomics(true);
    let there = Stream::new().atomic_add(GOOD, 1, 0);
    gpu.run_ib(COPY, SPACE, &there, TAG);
    gpu.assert_no_fault();
    assert_eq!(gpu.ram64(DATA), 6);
    gpu.set_system_atomics(false);
    expect(
        &mut gpu,
        there,
        fault::ACCESS_WRITE,
        fault::NO_ATOMICS,
        GOOD,
    );
}

#[test]
fn bad_entries() {
    let mut gpu = user();
    let page = (RAM + DATA) | READ_WRITE | pte::VALID;
    let far = 0x30_0000_0000;
    let table = (gpu.new_table() + RAM) | pte::SYSTEM | pte::VALID;
    let block = (RAM + DATA) | READ_WRITE | pte::VALID;
    let scratchpad = pte::SCRATCHPAD | pte::VALID;
    for (level, entry) in [
        (0, page | 1 << 48),
        (0, page | 1 << 63),
        (0, page | 1 << 7),
        (0, page | pte::SCRATCHPAD),
        (0, page | pte::SCRATCHPAD | pte::SPARSE),
        (0, page | 1 << 11),
        (0, page | pte::LEAF),
        // An entry of a block that points to another page of it.
        (0, page | 4096 | pte::BLOCK_64K),
        (0, page | pte::SPARSE | 1 << 50),
        (1, table | 1 << 52),
        (1, table | pte::BLOCK_64K),
        (1, scratchpad),
        (1, block | pte::LEAF | 4096),
        (1, block | pte::LEAF | pte::BLOCK_64K),
        (2, table | pte::LEAF),
        (2, pte::VALID | pte::LEAF | pte::SPARSE | pte::BLOCK_64K),
        (2, table | pte::BLOCK_64K),
        (2, scratchpad),
        (3, table | pte::LEAF),
        (3, pte::VALID | pte::LEAF | pte::SPARSE | pte::BLOCK_64K),
        (3, table | 1 << 7),
    ] {
        // With nothing of it in the TLB, nor of the tables above.
        let mut address = far;
        if level == 3 {
            address = 0x8000_0000_0000;
        }
        let at = gpu.entry(SPACE, address, level);
        gpu.set_ram64(at, entry);
        expect(
            &mut gpu,
            write(address),
            fault::ACCESS_WRITE,
            fault::BAD_ENTRY,
            address,
        );
        gpu.set_ram64(at, 0);
        gpu.invalidate(SPACE, address, 4096);
    }
}

#[test]
fn bad_roots() {
    let mut gpu = user();
    let table = (gpu.new_table() + RAM) | pte::SYSTEM;
    for (root, reason) in [
        (0, fault::NOT_PRESENT),
        (table, fault::NOT_PRESENT),
        (table | pte::VALID | pte::LEAF, fault::BAD_ENTRY),
        (pte::VALID | pte::LEAF | pte::SPARSE, fault::BAD_ENTRY),
        (table | pte::VALID | 1 << 60, fault::BAD_ENTRY),
        (pte::SCRATCHPAD | pte::VALID, fault::BAD_ENTRY),
        (table | pte::VALID, fault::NOT_PRESENT),
        (VRAM_SIZE | pte::VALID, fault::BAD_ADDRESS),
        (1 << 44 | pte::SYSTEM | pte::VALID, fault::BAD_ADDRESS),
        (pte::SYSTEM | pte::VALID, fault::BAD_ADDRESS),
    ] {
        gpu.set_root(SPACE, root);
        let stream = Stream::new().indirect(SPACE, 1, USER_IB, TAG);
        gpu.run(RENDER, stream);
        let fault = gpu.fault().unwrap();
        assert_eq!(fault.reason, reason, "{root:#x}");
        assert_eq!(fault.access, fault::ACCESS_FETCH);
        assert_eq!((fault.address, fault.tag), (USER_IB, TAG));
    }
}

#[test]
fn bad_addresses() {
    let mut gpu = user();
    for (target, flags) in [
        (VRAM_SIZE, 0),
        (1 << 47, 0),
        (SCRATCHPAD_SIZE, pte::SCRATCHPAD),
        (1 << 47, pte::SCRATCHPAD),
        (0, pte::SYSTEM),
        (RAM - 4096, pte::SYSTEM),
        (RAM + RAM_SIZE, pte::SYSTEM),
        (RAM | 1 << pci::DMA_BITS, pte::SYSTEM),
    ] {
        gpu.map(
            SPACE,
            PAGE,
            target,
            4096,
            flags | pte::WRITABLE,
            PageSize::K4,
        );
        gpu.invalidate(SPACE, 0, 0);
        expect(
            &mut gpu,
            write(PAGE),
            fault::ACCESS_WRITE,
            fault::BAD_ADDRESS,
            PAGE,
        );
        let copy = Stream::new().copy(PAGE, GOOD, 8);
        expect(&mut gpu, copy, fault::ACCESS_READ, fault::BAD_ADDRESS, PAGE);
    }
    // A page table that cannot be read.
    let entry = gpu.entry(SPACE, PAGE, 1);
    gpu.set_ram64(entry, VRAM_SIZE | pte::VALID);
    gpu.invalidate(SPACE, 0, 0);
    let stream = write(PAGE);
    gpu.run_ib(COPY, SPACE, &stream, TAG);
    assert_eq!(gpu.fault().unwrap().reason, fault::BAD_ADDRESS);
}

#[test]
fn without_bus_mastering_there_is_no_guest_memory() {
    let mut gpu = user();
    gpu.set_bus_master(false);
    gpu.submit(COPY, &Stream::new().nop(1));
    gpu.wait_idle(COPY);
    assert!(gpu.halted(COPY));
    gpu.set_bus_master(true);
    let fault = gpu.fault().unwrap();
    assert_eq!((fault.reason, fault.tag), (fault::BAD_ADDRESS, 0));
}

#[test]
fn out_of_range() {
    let mut gpu = user();
    let end = 1u64 << limits::VA_BITS;
    let (read, write_access) = (fault::ACCESS_READ, fault::ACCESS_WRITE);
    for address in [end, end - 4, u64::MAX - 3] {
        expect(
            &mut gpu,
            write(address),
            write_access,
            fault::OUT_OF_RANGE,
            address,
        );
    }
    for bytes in [end - GOOD + 1, u64::MAX] {
        let copy = Stream::new().copy(GOOD, GOOD + 16, bytes);
        expect(&mut gpu, copy, read, fault::OUT_OF_RANGE, GOOD);
    }
    let copy = Stream::new().copy(GOOD, u64::MAX, 2);
    expect(&mut gpu, copy, write_access, fault::OUT_OF_RANGE, u64::MAX);
    let fill = Stream::new().fill(GOOD, !3, 1);
    expect(&mut gpu, fill, write_access, fault::OUT_OF_RANGE, GOOD);
    let checksum = Stream::new().checksum(GOOD, !3, GOOD);
    expect(&mut gpu, checksum, read, fault::OUT_OF_RANGE, GOOD);
    let (near, far) = ((GOOD, 4), (end - 4096, 4096));
    let rows = Stream::new().copy_rows(far, near, 4, 2);
    expect(&mut gpu, rows, read, fault::OUT_OF_RANGE, far.0);
    let rows = Stream::new().copy_rows(near, far, 4097, 1);
    expect(&mut gpu, rows, write_access, fault::OUT_OF_RANGE, far.0);
    let rows = Stream::new().copy_rows((GOOD, u32::MAX), near, u32::MAX, u32::MAX);
    expect(&mut gpu, rows, read, fault::OUT_OF_RANGE, GOOD);
    let atomic = Stream::new().atomic_add(end, 1, 0);
    expect(&mut gpu, atomic, write_access, fault::OUT_OF_RANGE, end);

    for rectangle in [
        [0, u32::MAX, 1, 1],
        [0, 1, 1, u32::MAX],
        [u32::MAX, u32::MAX, u32::MAX, u32::MAX],
    ] {
        let stream = Stream::new().rect_fill(GOOD, !3, rectangle, 1);
        gpu.run_ib(RENDER, SPACE, &stream, TAG);
        let fault = gpu.fault().unwrap();
        assert_eq!((fault.address, fault.reason), (GOOD, fault::OUT_OF_RANGE));
    }
}

#[test]
fn misaligned() {
    let mut gpu = user();
    let bad = GOOD + 2;
    let (read, write_access) = (fault::ACCESS_READ, fault::ACCESS_WRITE);
    expect(&mut gpu, write(bad), write_access, fault::MISALIGNED, bad);
    for atomic in [
        Stream::new().atomic_add(GOOD + 4, 1, GOOD),
        Stream::new().atomic_add(GOOD, 1, GOOD + 4),
        Stream::new().atomic_swap(GOOD + 4, 1, 1, GOOD),
        Stream::new().atomic_swap(GOOD, 1, 1, GOOD + 4),
    ] {
        expect(&mut gpu, atomic, write_access, fault::MISALIGNED, GOOD + 4);
    }
    let fill = Stream::new().fill(bad, 4, 1);
    expect(&mut gpu, fill, write_access, fault::MISALIGNED, bad);
    let checksum = Stream::new().checksum(bad, 4, GOOD);
    expect(&mut gpu, checksum, read, fault::MISALIGNED, bad);
    let checksum = Stream::new().checksum(GOOD, 4, GOOD + 4);
    expect(
        &mut gpu,
        checksum,
        write_access,
        fault::MISALIGNED,
        GOOD + 4,
    );
    let rectangle = Stream::new().rect_fill(bad, 4, [0, 0, 1, 1], 1);
    gpu.run_ib(RENDER, SPACE, &rectangle, TAG);
    let fault = gpu.fault().unwrap();
    assert_eq!((fault.address, fault.reason), (bad, fault::MISALIGNED));
}

#[test]
fn bad_packets() {
    let mut gpu = user();
    // The second packet, so that the address is seen to be the packet's.
    let at = USER_IB + 4;
    for stream in [
        Stream::new().raw(&[0]),
        Stream::new().raw(&[header(0xff, 0, 1)]),
        Stream::new().raw(&[header(op::NOP, 1, 1)]),
        Stream::new().raw(&[header(op::NOP, 0, 50)]),
        Stream::new().raw(&[header(op::COPY, 0, 6)]),
        Stream::new().raw(&[header(op::COPY, 0, 7)]),
        Stream::new().packet(op::COPY, 1, &[0; 6]),
        Stream::new().packet(op::COPY, 0, &[0; 7]),
        Stream::new().packet(op::WRITE, 0, &[0, 0]),
        Stream::new().packet(op::COPY_ROWS, 0, &[0; 7]),
        Stream::new().packet(op::COPY_ROWS, 1, &[0; 8]),
        Stream::new().packet(op::ATOMIC_ADD, 1, &[0; 6]),
        Stream::new().packet(op::ATOMIC_SWAP, 0, &[0; 6]),
        Stream::new().fill(GOOD, 6, 1),
        Stream::new().checksum(GOOD, 5, GOOD),
        Stream::new().fence(GOOD, 1, false),
        Stream::new().wait(GOOD, 0),
        Stream::new().timestamp(GOOD),
        Stream::new().tlb_invalidate(0, 0, 0),
        Stream::new().indirect(SPACE, 1, USER_IB, 1),
        Stream::new().rect_fill(GOOD, 4, [0, 0, 1, 1], 1),
    ] {
        let stream = Stream(Stream::new().nop(1).raw(&stream.0).0);
        expect(&mut gpu, stream, fault::ACCESS_FETCH, fault::BAD_PACKET, at);
    }
    let stream = Stream::new().rect_fill(GOOD, 6, [0, 0, 1, 1], 1);
    gpu.run_ib(RENDER, SPACE, &stream, TAG);
    assert_eq!(gpu.fault().unwrap().reason, fault::BAD_PACKET);
}

#[test]
fn indirect_buffers_that_cannot_be_fetched() {
    let mut gpu = user();
    let end = 1u64 << limits::VA_BITS;
    for (dwords, address, at, reason) in [
        (1, PAGE, PAGE, fault::NOT_PRESENT),
        (1, end, end, fault::OUT_OF_RANGE),
        (2, end - 4, end - 4, fault::OUT_OF_RANGE),
        (2, u64::MAX - 3, u64::MAX - 3, fault::OUT_OF_RANGE),
    ] {
        gpu.run(COPY, Stream::new().indirect(SPACE, dwords, address, TAG));
        let fault = gpu.fault().unwrap();
        assert_eq!((fault.address, fault.reason, fault.tag), (at, reason, TAG));
        assert_eq!(fault.access, fault::ACCESS_FETCH);
        assert!(!gpu.halted(COPY));
    }
    // One of no length is not fetched at all.
    gpu.run(COPY, Stream::new().indirect(SPACE, 0, PAGE, TAG));
    gpu.assert_no_fault();
    // Packets that end where the mapping does, then one that is not there.
    gpu.ram_at(DATA + 4092, 4)
        .write_obj(header(op::NOP, 0, 1), 0)
        .unwrap();
    gpu.run(COPY, Stream::new().indirect(SPACE, 2, GOOD + 4092, TAG));
    assert_eq!(gpu.fault().unwrap().address, PAGE);
}

#[test]
fn a_faulting_buffer_does_not_stop_the_ring() {
    let mut gpu = user();
    let bad = Stream::new().write(PAGE, &[1]);
    let next = KERNEL_RAM + DATA + 8;
    gpu.set_ram64(DATA + 8, 0);
    let value = gpu.start_ib(COPY, SPACE, &bad, 7);
    gpu.submit(COPY, &Stream::new().write(next, &[5]));
    gpu.finish(COPY, value);
    gpu.wait_idle(COPY);
    assert_eq!(gpu.fault().unwrap().tag, 7);
    assert_eq!(gpu.ram64(DATA + 8), 5);
}

#[test]
fn ring_faults_halt_until_reset() {
    let mut gpu = user();
    let ring = Gpu::ring_address(COPY);
    let fence = KERNEL_RAM + DATA;
    let (fetch, write_access) = (fault::ACCESS_FETCH, fault::ACCESS_WRITE);
    for (stream, access, reason, address) in [
        (Stream::new().raw(&[0]), fetch, fault::BAD_PACKET, ring),
        (
            Stream::new().rect_fill(fence, 4, [0, 0, 1, 1], 1),
            fetch,
            fault::BAD_PACKET,
            ring,
        ),
        (
            Stream::new().packet(op::TLB_INVALIDATE, 0, &[0, 1, 0, 0, 0, 0]),
            fetch,
            fault::BAD_PACKET,
            ring,
        ),
        (
            Stream::new().tlb_invalidate(limits::ADDRESS_SPACES, 0, 0),
            fetch,
            fault::BAD_PACKET,
            ring,
        ),
        (
            Stream::new().indirect(limits::ADDRESS_SPACES, 1, USER_IB, 1),
            fetch,
            fault::BAD_PACKET,
            ring,
        ),
        (
            Stream::new().indirect(SPACE, limits::IB_MAX_DWORDS + 1, USER_IB, 1),
            fetch,
            fault::BAD_PACKET,
            ring,
        ),
        (
            Stream::new().raw(&[header(op::NOP, 0, 3)]),
            fetch,
            fault::BAD_PACKET,
            ring,
        ),
        (
            Stream::new().fence(fence + 4, 1, true),
            write_access,
            fault::MISALIGNED,
            fence + 4,
        ),
        (
            Stream::new().fence(PAGE, 1, true),
            write_access,
            fault::NOT_PRESENT,
            PAGE,
        ),
        (
            Stream::new().wait(fence + 1, 0),
            fault::ACCESS_READ,
            fault::MISALIGNED,
            fence + 1,
        ),
    ] {
        gpu.submit(COPY, &stream);
        gpu.wait_halted(COPY);
        let wanted = Fault {
            engine: COPY as u32,
            space: 0,
            access,
            reason,
            address,
            tag: 0,
        };
        assert_eq!(gpu.fault(), Some(wanted));
        assert_eq!(gpu.read_engine(COPY, regs::RING_HEAD), 0);
        assert_eq!(gpu.read(regs::INT_STATUS), 1 << regs::VECTOR_FAULT);
        gpu.write(regs::INT_CLEAR, u32::MAX);

        // Nothing moves it but a reset.
        gpu.write_engine(COPY, regs::ENGINE_CONTROL, 0);
        gpu.write_engine(COPY, regs::ENGINE_CONTROL, regs::CONTROL_ENABLE);
        gpu.submit(COPY, &Stream::new().nop(1));
        assert!(gpu.halted(COPY) && !gpu.busy(COPY));
        gpu.start_engine(COPY, 4096);
        assert!(!gpu.halted(COPY));
        gpu.run(COPY, Stream::new().write(fence, &[1]));
        gpu.assert_no_fault();
        gpu.start_engine(COPY, 4096);
    }
}

#[test]
fn a_misaligned_buffer_is_the_rings_fault() {
    let mut gpu = user();
    gpu.submit(COPY, &Stream::new().indirect(SPACE, 1, USER_IB + 2, TAG));
    gpu.wait_halted(COPY);
    let fault = gpu.fault().unwrap();
    assert_eq!((fault.space, fault.tag), (SPACE, 0));
    assert_eq!(
        (fault.address, fault.reason),
        (USER_IB + 2, fault::MISALIGNED)
    );
}

#[test]
fn a_writeback_that_faults_halts() {
    let mut gpu = user();
    gpu.write_engine(COPY, regs::ENGINE_CONTROL, regs::CONTROL_RESET);
    let writeback = gpu.engine(COPY, regs::WRITEBACK_LO);
    gpu.write_pair(writeback, PAGE);
    gpu.write_engine(COPY, regs::ENGINE_CONTROL, regs::CONTROL_ENABLE);
    gpu.start_after_reset(COPY, &Stream::new().nop(1));
    gpu.wait_halted(COPY);
    let fault = gpu.fault().unwrap();
    assert_eq!((fault.address, fault.access), (PAGE, fault::ACCESS_WRITE));
}

#[test]
fn a_full_queue_holds_engines_back() {
    let mut gpu = user();
    let bad = Stream::new().write(PAGE, &[1]);
    let depth = u64::from(limits::FAULT_QUEUE);
    let mut last = 0;
    for tag in 0..depth + 2 {
        last = gpu.start_ib(COPY, SPACE, &bad, tag);
    }
    // Only now the other engine, or it might have a place in the queue.
    let before = last - 2;
    gpu.finish(COPY, before);
    let other = gpu.start_ib(RENDER, SPACE, &bad, 1000);
    std::thread::sleep(std::time::Duration::from_millis(20));
    assert_eq!(gpu.read(regs::FAULT_COUNT), limits::FAULT_QUEUE);
    assert_eq!(gpu.fence(COPY), before, "the next one waits for room");
    assert_eq!(gpu.fence(RENDER), other - 1, "and so does the other engine");
    assert!(gpu.busy(COPY) && gpu.busy(RENDER));

    let mut tags = Vec::new();
    while tags.len() < depth as usize + 3 {
        wait_for("a fault", || gpu.read(regs::FAULT_COUNT) != 0);
        tags.push(gpu.fault().unwrap().tag);
    }
    gpu.finish(COPY, last);
    gpu.finish(RENDER, other);
    gpu.assert_no_fault();
    let copies: Vec<u64> = tags.iter().copied().filter(|tag| *tag < 1000).collect();
    assert_eq!(copies, (0..depth + 2).collect::<Vec<_>>());
    assert!(tags.contains(&1000));
    gpu.write(regs::FAULT_POP, 0);
    assert_eq!(gpu.read(regs::FAULT_INFO), 0);
}

#[test]
fn an_engine_that_waits_for_room_can_be_reset() {
    let mut gpu = user();
    let bad = Stream::new().write(PAGE, &[1]);
    for tag in 0..=u64::from(limits::FAULT_QUEUE) {
        gpu.start_ib(COPY, SPACE, &bad, tag);
    }
    wait_for("a full queue", || {
        gpu.read(regs::FAULT_COUNT) == limits::FAULT_QUEUE
    });
    gpu.write_engine(COPY, regs::ENGINE_CONTROL, regs::CONTROL_RESET);
    assert!(!gpu.busy(COPY));
    assert_eq!(gpu.read(regs::FAULT_COUNT), limits::FAULT_QUEUE);
}
