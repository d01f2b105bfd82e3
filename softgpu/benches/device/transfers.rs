// SPDX-License-Identifier: GPL-2.0

//! Copies, fills and checksums by a copy engine, beside `memcpy()` and `memset()`.

use std::ptr;

use anyhow::Result;

use crate::clock::{row, time};
use crate::gpu::{Gpu, HALF, Memory};
use crate::stream::Stream;

/// Sizes of a packet's work, and what they are called.
const SIZES: [(u64, &str); 5] = [
    (4 << 10, "4K"),
    (64 << 10, "64K"),
    (1 << 20, "1M"),
    (16 << 20, "16M"),
    (64 << 20, "64M"),
];
/// Bytes that packets of a smaller size share: they go through memory one after the other, so that
/// all sizes find the same of it in caches.
const BATCH: u64 = 16 << 20;
/// Bytes of a round, which goes through memory again until it has had so many: the doorbell and the
/// wait, which have figures of their own, are then little beside the work.
const ROUND: u64 = 128 << 20;
const ROUNDS: usize = 31;

#[derive(Clone, Copy)]
enum Work {
    Copy,
    /// A fill with zeros.
    Clear,
    /// A fill with a pattern of different bytes.
    Pattern,
    Checksum,
}

impl Work {
    fn name(self) -> &'static str {
        match self {
            Self::Copy => "copy",
            Self::Clear => "clear",
            Self::Pattern => "pattern",
            Self::Checksum => "checksum",
        }
    }

    /// Appends the packet that does it to `size` bytes from `at`.
    fn append(self, stream: &mut Stream, gpu: &Gpu, memory: Memory, at: u64, size: u64) {
        let source = memory.address() + at;
        match self {
            Self::Copy => stream.copy(source, source + HALF, size),
            Self::Clear => stream.fill(source + HALF, size, 0),
            Self::Pattern => stream.fill(source + HALF, size, 0x0403_0201),
            Self::Checksum => stream.checksum(source, size, gpu.sum_address()),
        }
    }

    /// Does to memory what is compared with it: a fill to a fill, a copy to the others.
    fn by_host(self, gpu: &Gpu, memory: Memory, at: u64, size: u64) {
        let source = gpu.data(memory).wrapping_add(at as usize);
        let destination = source.wrapping_add(HALF as usize);
        // SAFETY: Either half of the data is as long as the largest size, and mapped. The engine is
        // idle, and the content is of no meaning to anything else.
        unsafe {
            match self {
                Self::Copy | Self::Checksum => {
                    ptr::copy_nonoverlapping(source, destination, size as usize)
                }
                Self::Clear | Self::Pattern => ptr::write_bytes(destination, 0, size as usize),
            }
        }
    }
}

/// Measures all of them, in all memories.
pub(crate) fn run(gpu: &mut Gpu) -> Result<()> {
    for (memory, name) in [
        (Memory::Vram, "vram"),
        (Memory::System, "system"),
        (Memory::Scattered, "scattered"),
    ] {
        for work in [Work::Copy, Work::Clear, Work::Pattern, Work::Checksum] {
            for (size, called) in SIZES {
                let name = format!("{}.{name}.{called}", work.name());
                measure(gpu, work, memory, size, &name)?;
            }
        }
    }
    Ok(())
}

fn measure(gpu: &mut Gpu, work: Work, memory: Memory, size: u64, name: &str) -> Result<()> {
    let memory_size = BATCH.max(size);
    let places = || (0..ROUND).step_by(size as usize).map(|at| at % memory_size);
    let (mut device, mut host) = (f64::INFINITY, f64::INFINITY);
    for round in 0..=ROUNDS {
        let mut stream = Stream::default();
        for at in places() {
            work.append(&mut stream, gpu, memory, at, size);
        }
        gpu.put(stream, false)?;
        let by_device = time(|| {
            gpu.ring_doorbell()?;
            gpu.poll_fence()
        })?;
        let by_host = time(|| {
            places().for_each(|at| work.by_host(gpu, memory, at, size));
            Ok(())
        })?;
        // The first round is one to get warm.
        if round != 0 {
            device = device.min(by_device);
            host = host.min(by_host);
        }
    }
    let count = places().count() as f64;
    row(&format!("{name}.device"), (device / count).round(), "ns");
    row(&format!("{name}.host"), (host / count).round(), "ns");
    row(&format!("{name}.speed"), host / device, "ratio");
    Ok(())
}
