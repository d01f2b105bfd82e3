// SPDX-License-Identifier: GPL-2.0

//! Each packet against what it should do.

use std::sync::atomic::{AtomicU64, Ordering};

use softgpu::abi::checksum::POLYNOMIAL;
use vm_memory::{Bytes, VolatileMemory};

use crate::gpu::{
    COPY, DATA, ENGINES, Gpu, KERNEL_RAM, KERNEL_VRAM, RENDER, RING_SIZE, VISIBLE_SIZE, content,
    random_bytes,
};
use crate::stream::Stream;

const RAM_DATA: u64 = KERNEL_RAM + DATA;
/// A place in VRAM behind the first copy.
const SECOND: u64 = (4 << 20) - 4096;

fn reference(bytes: &[u8]) -> u64 {
    let register = bytes.iter().fold(0, |register, byte| {
        (0..8).fold(register ^ u32::from(*byte), |register, _| {
            (register >> 1) ^ ((register & 1) * POLYNOMIAL)
        })
    });
    register.into()
}

#[test]
fn copies_between_all_kinds_of_memory() {
    let mut gpu = Gpu::new();
    // Odd places and lengths; across pages of 4 KiB and 2 MiB.
    for (engine, length, shift) in [
        (RENDER, 1, 0),
        (COPY, 4096, 0),
        (COPY, 3, 4095),
        (RENDER, 3 << 20, 5),
        (COPY, (3 << 20) + 7, (1 << 20) - 3),
    ] {
        let data = random_bytes(length, length as u64);
        let bytes = length as u64;
        gpu.ram_at(DATA + shift, length).copy_from(&data);
        gpu.vram_at(0, VISIBLE_SIZE as usize)
            .copy_from(&vec![0xeeu8; VISIBLE_SIZE as usize]);
        gpu.run(
            engine,
            Stream::new()
                .copy(RAM_DATA + shift, KERNEL_VRAM + 9, bytes)
                .copy(KERNEL_VRAM + 9, KERNEL_VRAM + SECOND + shift, bytes),
        );
        gpu.assert_no_fault();
        assert_eq!(content(gpu.vram_at(9, length)), data);
        assert_eq!(content(gpu.vram_at(SECOND + shift, length)), data);
        assert_eq!(content(gpu.vram_at(0, 9)), [0xee; 9]);
        assert_eq!(content(gpu.vram_at(9 + bytes, 9)), [0xee; 9]);

        gpu.ram_at(DATA, 4 << 20).copy_from(&vec![0xddu8; 4 << 20]);
        let back = Stream::new().copy(KERNEL_VRAM + SECOND + shift, RAM_DATA + 1, bytes);
        gpu.run(engine, back);
        assert_eq!(content(gpu.ram_at(DATA, 1)), [0xdd]);
        assert_eq!(content(gpu.ram_at(DATA + 1, length)), data);
        assert_eq!(content(gpu.ram_at(DATA + 1 + bytes, 9)), [0xdd; 9]);
    }
}

#[test]
fn fill() {
    let mut gpu = Gpu::new();
    for bytes in [4, 4096, 4100, (2 << 20) + 8] {
        gpu.ram_at(DATA, 4 << 20).copy_from(&vec![0xddu8; 4 << 20]);
        gpu.run(
            COPY,
            Stream::new().fill(RAM_DATA + 4092, bytes, 0x1234_5678),
        );
        let length = bytes as usize;
        let wanted = 0x1234_5678u32.to_le_bytes().repeat(length / 4);
        assert_eq!(content(gpu.ram_at(DATA + 4092, length)), wanted);
        assert_eq!(content(gpu.ram_at(DATA + 4088, 4)), [0xdd; 4]);
        assert_eq!(content(gpu.ram_at(DATA + 4092 + bytes, 4)), [0xdd; 4]);
    }
    gpu.assert_no_fault();
}

#[test]
fn write() {
    let mut gpu = Gpu::new();
    gpu.ram_at(DATA, 8192).copy_from(&[0xddu8; 8192]);
    let dwords: Vec<u32> = (0..500).map(|n| 0x8000_0000 + n).collect();
    gpu.run(
        RENDER,
        Stream::new()
            .write(RAM_DATA + 4000, &dwords)
            .write(RAM_DATA, &[42]),
    );
    let wanted: Vec<u8> = dwords
        .iter()
        .flat_map(|dword| dword.to_le_bytes())
        .collect();
    assert_eq!(content(gpu.ram_at(DATA + 4000, 2000)), wanted);
    assert_eq!(content(gpu.ram_at(DATA + 6000, 4)), [0xdd; 4]);
    assert_eq!(gpu.ram_at(DATA, 4).read_obj::<u32>(0).unwrap(), 42);
    assert_eq!(content(gpu.ram_at(DATA + 4, 4)), [0xdd; 4]);
    gpu.assert_no_fault();
}

#[test]
fn checksums() {
    let mut gpu = Gpu::new();
    let data = random_bytes(3 << 20, 7);
    gpu.vram_at(0, data.len()).copy_from(&data);
    let sums = gpu.ram_at(DATA, 64);
    sums.copy_from(&[0xddu8; 64]);
    let all = data.len() as u64;
    gpu.run(
        COPY,
        Stream::new()
            .checksum(KERNEL_VRAM, all, RAM_DATA)
            .checksum(KERNEL_VRAM + 4, 4092, RAM_DATA + 8)
            .checksum(KERNEL_VRAM, 0, RAM_DATA + 16),
    );
    assert_eq!(gpu.ram64(DATA), reference(&data));
    assert_eq!(gpu.ram64(DATA + 8), reference(&data[4..4096]));
    assert_eq!(gpu.ram64(DATA + 16), 0);
    // Known answers, so that the reference cannot be wrong in the same way.
    assert_eq!(reference(&1u32.to_le_bytes()), 0xdd45_aab8);
    // A CRC-32C begins with ones, which is to begin with 0 and invert the first bits.
    let mut check = *b"123456789";
    check[..4].iter_mut().for_each(|byte| *byte = !*byte);
    assert_eq!(!reference(&check) as u32, 0xe306_9283);
    gpu.assert_no_fault();
}

#[test]
fn rows() {
    let mut gpu = Gpu::new();
    let data = random_bytes(1 << 20, 11);
    gpu.ram_at(DATA, data.len()).copy_from(&data);
    // Odd places and pitches; rows that meet, that are far apart, that are all the same row.
    for (from, from_pitch, to, to_pitch, bytes, count) in [
        (3usize, 1001usize, 5usize, 4099usize, 1001usize, 200usize),
        (0, 4096, 0, 7, 7, 250),
        (1, 0, 1, 300, 299, 30),
        (0, 0, 0, 0, 1, 1),
    ] {
        let mut wanted = vec![0xeeu8; 1 << 20];
        gpu.vram_at(0, wanted.len()).copy_from(&wanted);
        let stream = Stream::new().copy_rows(
            (RAM_DATA + from as u64, from_pitch as u32),
            (KERNEL_VRAM + to as u64, to_pitch as u32),
            bytes as u32,
            count as u32,
        );
        gpu.run(COPY, stream);
        for row in 0..count {
            let source = &data[from + row * from_pitch..][..bytes];
            wanted[to + row * to_pitch..][..bytes].copy_from_slice(source);
        }
        assert!(
            content(gpu.vram_at(0, wanted.len())) == wanted,
            "{count} rows"
        );
    }
    gpu.assert_no_fault();
}

#[test]
fn atomics() {
    let mut gpu = Gpu::new();
    gpu.set_system_atomics(true);
    gpu.set_ram64(DATA, u64::MAX);
    gpu.set_ram64(DATA + 8, 5);
    gpu.set_ram64(DATA + 16, 5);
    gpu.run(
        COPY,
        Stream::new()
            .atomic_add(RAM_DATA, 3, RAM_DATA + 32)
            .atomic_swap(RAM_DATA + 8, 5, 1 << 40, RAM_DATA + 40)
            .atomic_swap(RAM_DATA + 16, 4, 6, RAM_DATA + 48)
            .atomic_add(RAM_DATA + 24, 9, 0),
    );
    gpu.assert_no_fault();
    let words: Vec<u64> = (0..7).map(|word| gpu.ram64(DATA + word * 8)).collect();
    assert_eq!(words, [2, 1 << 40, 5, 9, u64::MAX, 5, 5]);
}

#[test]
fn atomics_are_atomic() {
    let mut gpu = Gpu::new();
    gpu.set_system_atomics(true);
    const ROUNDS: u64 = 2000;
    let mut stream = Stream::new();
    for _ in 0..20 {
        stream = stream.atomic_add(RAM_DATA, 1, 0);
    }
    let mut last = [0; ENGINES];
    for _ in 0..ROUNDS / 20 {
        for (engine, last) in last.iter_mut().enumerate() {
            *last = gpu.start(engine, stream.clone());
        }
        for _ in 0..20 {
            let word = gpu.ram_at(DATA, 8);
            let word = word.get_atomic_ref::<AtomicU64>(0).unwrap();
            word.fetch_add(1 << 32, Ordering::Relaxed);
        }
        for (engine, last) in last.into_iter().enumerate() {
            gpu.finish(engine, last);
        }
    }
    let wanted = ROUNDS << 32 | (ROUNDS * ENGINES as u64);
    assert_eq!(gpu.ram64(DATA), wanted);
}

#[test]
fn rectangle() {
    let mut gpu = Gpu::new();
    const PITCH: usize = 640;
    const ROWS: usize = 40;
    let place = |x: usize, y: usize| y * PITCH + x * 4;
    let mut wanted = random_bytes(PITCH * ROWS, 3);
    gpu.vram_at(0, wanted.len()).copy_from(&wanted);
    let rectangles = [
        ([0, 0, 1, 1], 0x11),
        ([3, 5, 100, 20], 0xff00_ff00),
        ([159, 39, 1, 1], 0x33),
        ([10, 30, 0, 5], 0x44),
        ([10, 30, 5, 0], 0x55),
    ];
    let mut stream = Stream::new();
    for (rectangle, pixel) in rectangles {
        stream = stream.rect_fill(KERNEL_VRAM, PITCH as u32, rectangle, pixel);
        let [left, top, width, height] = rectangle.map(|number| number as usize);
        for y in top..top + height {
            for x in left..left + width {
                wanted[place(x, y)..][..4].copy_from_slice(&pixel.to_le_bytes());
            }
        }
    }
    gpu.run(RENDER, stream);
    gpu.assert_no_fault();
    assert_eq!(content(gpu.vram_at(0, wanted.len())), wanted);
}

#[test]
fn nothing_to_do_touches_nothing() {
    let mut gpu = Gpu::new();
    let nowhere = 0x1000_0000_0000;
    gpu.run(
        RENDER,
        Stream::new()
            .nop(1)
            .nop(100)
            .copy(nowhere, u64::MAX, 0)
            .fill(nowhere, 0, 1)
            .copy_rows((nowhere, 1), (u64::MAX, 1), 0, 9)
            .copy_rows((nowhere, 1), (u64::MAX, 1), 9, 0)
            .blit((nowhere, 4, [0; 4]), (nowhere, 4, [0, 0, 5, 0]), 0)
            .triangle(
                (nowhere, 4),
                [0, 9],
                [(0.0, 0.0, 1), (9.0, 0.0, 1), (0.0, 9.0, 1)],
                0,
            )
            .rect_fill(nowhere, u32::MAX - 3, [u32::MAX, u32::MAX, 0, u32::MAX], 1),
    );
    gpu.assert_no_fault();
}

#[test]
fn packets_wrap_around_the_ring() {
    let mut gpu = Gpu::new();
    // 47 dwords with the fence's 5: no divisor of the ring's 1024, so that every split is seen.
    for round in 0..2048u32 {
        let data: Vec<u32> = (0..39).map(|n| round * 64 + n).collect();
        gpu.run(COPY, Stream::new().write(RAM_DATA, &data));
        let bytes: Vec<u8> = data.iter().flat_map(|dword| dword.to_le_bytes()).collect();
        assert_eq!(
            content(gpu.ram_at(DATA, bytes.len())),
            bytes,
            "round {round}"
        );
    }
    assert!(gpu.tail(COPY) < RING_SIZE);
    gpu.assert_no_fault();
}
