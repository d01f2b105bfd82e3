// SPDX-License-Identifier: GPL-2.0

//! Blits and triangles.

use std::time::Instant;

use softgpu::abi::limits::{CORNER_MAX, SURFACE_MAX};
use softgpu::abi::packet::{self as op, BLEND};
use softgpu::abi::{fault, pte, regs};

use crate::gpu::{
    COPY, DATA, Gpu, KERNEL_RAM, KERNEL_VRAM, PROMPT, PageSize, RAM, RENDER, RING_SIZE, content,
    random_bytes, wait_for,
};
use crate::stream::Stream;

const WIDTH: usize = 100;
const HEIGHT: usize = 60;
/// In pixels: rows are not next to each other.
const PITCH: usize = 111;
const SOURCE: u64 = KERNEL_RAM + DATA;

/// The surface at the start of VRAM, with what is between its rows.
fn surface(gpu: &Gpu) -> Vec<u32> {
    let bytes = content(gpu.vram_at(0, PITCH * HEIGHT * 4));
    let pixels = bytes.as_chunks().0;
    pixels
        .iter()
        .map(|pixel| u32::from_le_bytes(*pixel))
        .collect()
}

/// Fills the surface in VRAM and the same in guest memory with random bytes, which are returned.
fn prepare(gpu: &Gpu) -> (Vec<u32>, Vec<u32>) {
    let pixels = |seed| -> Vec<u32> {
        let bytes = random_bytes(PITCH * HEIGHT * 4, seed);
        let pixels = bytes.as_chunks().0;
        pixels
            .iter()
            .map(|pixel| u32::from_le_bytes(*pixel))
            .collect()
    };
    let (source, destination) = (pixels(1), pixels(2));
    gpu.ram_at(DATA, source.len() * 4).copy_from(&source);
    gpu.vram_at(0, destination.len() * 4)
        .copy_from(&destination);
    (source, destination)
}

fn over(pixel: u32, below: u32) -> u32 {
    let alpha = f64::from(pixel >> 24) / 255.0;
    let mix = |new: f64, old: f64| (new * alpha + old * (1.0 - alpha) + 0.499).floor() as u32;
    let byte = |pixel: u32, shift: u32| f64::from(pixel >> shift & 0xff);
    let colour = |shift| mix(byte(pixel, shift), byte(below, shift)) << shift;
    mix(255.0, byte(below, 24)) << 24 | colour(16) | colour(8) | colour(0)
}

/// Whether no byte is off by more than one: rounding.
fn close(one: u32, other: u32) -> bool {
    let bytes = one.to_le_bytes().into_iter().zip(other.to_le_bytes());
    bytes
        .into_iter()
        .all(|(one, other)| one.abs_diff(other) <= 1)
}

#[test]
fn blits_stretch() {
    for (from, to, flags) in [
        ([0, 0, 100, 60], [0, 0, 100, 60], 0),
        ([3, 4, 10, 10], [50, 7, 31, 53], 0),
        ([0, 0, 100, 60], [1, 1, 7, 3], 0),
        ([99, 59, 1, 1], [10, 10, 20, 20], 0),
        ([5, 5, 40, 40], [30, 10, 40, 40], BLEND),
        ([5, 5, 40, 40], [30, 10, 13, 47], BLEND),
    ] {
        let mut gpu = Gpu::new();
        let (source, mut wanted) = prepare(&gpu);
        let pitch = PITCH as u32 * 4;
        let blit = Stream::new().blit((SOURCE, pitch, from), (KERNEL_VRAM, pitch, to), flags);
        gpu.run(RENDER, blit);
        gpu.assert_no_fault();
        let [left, top, width, height] = from.map(|number| number as usize);
        let [x0, y0, columns, rows] = to.map(|number| number as usize);
        for y in 0..rows {
            for x in 0..columns {
                let (sx, sy) = (left + x * width / columns, top + y * height / rows);
                let pixel = source[sy * PITCH + sx];
                let place = &mut wanted[(y0 + y) * PITCH + x0 + x];
                *place = if flags == BLEND {
                    over(pixel, *place)
                } else {
                    pixel
                };
            }
        }
        let found = surface(&gpu);
        let same = |(one, other): (&u32, &u32)| match flags {
            BLEND => close(*one, *other),
            _ => one == other,
        };
        assert!(found.iter().zip(&wanted).all(same), "{from:?} {to:?}");
    }
}

#[test]
fn triangles_fill_what_they_cover() {
    let corners = [(10.0, 5.0, 0), (90.0, 20.0, 0), (30.0, 55.0, 0)];
    let mut gpu = Gpu::new();
    let (_, before) = prepare(&gpu);
    let colour = 0xff20_4060;
    let pitch = PITCH as u32 * 4;
    let size = [WIDTH as u32, HEIGHT as u32];
    let triangle = corners.map(|(x, y, _)| (x, y, colour));
    gpu.run(
        RENDER,
        Stream::new().triangle((KERNEL_VRAM, pitch), size, triangle, 0),
    );
    gpu.assert_no_fault();
    let after = surface(&gpu);
    for y in 0..HEIGHT {
        for x in 0..PITCH {
            let (px, py) = (x as f64 + 0.5, y as f64 + 0.5);
            // Distance from each edge, positive inside; none is 0 for these corners.
            let inside = (0..3).all(|edge| {
                let ((ax, ay, _), (bx, by, _)) = (corners[edge], corners[(edge + 1) % 3]);
                (bx - ax) * (py - ay) - (by - ay) * (px - ax) > 0.0
            });
            let at = y * PITCH + x;
            let wanted = if inside { colour } else { before[at] };
            assert_eq!(after[at], wanted, "{x} {y}");
        }
    }
}

#[test]
fn triangles_are_shaded_blended_and_clipped() {
    let mut gpu = Gpu::new();
    let (_, before) = prepare(&gpu);
    let pitch = PITCH as u32 * 4;
    let size = [WIDTH as u32, HEIGHT as u32];
    let far = f64::from(CORNER_MAX);
    // It covers everything, with alpha from left to right.
    let corners = [
        (0.0, -far, 0x0000_00ff),
        (256.0, -far, 0xff00_00ff),
        (0.0, far, 0x0000_00ff),
    ];
    gpu.run(
        RENDER,
        Stream::new().triangle((KERNEL_VRAM, pitch), size, corners, BLEND),
    );
    gpu.assert_no_fault();
    let after = surface(&gpu);
    for y in 0..HEIGHT {
        for x in 0..PITCH {
            let at = y * PITCH + x;
            // Halfway down, it is half as wide: 128 pixels for the same range.
            let wanted = match x {
                ..WIDTH => over(
                    ((x as f64 + 0.5) * 255.0 / 256.0) as u32 * 0x0100_0000 + 0xff,
                    before[at],
                ),
                _ => before[at],
            };
            let near = after[at]
                .to_le_bytes()
                .into_iter()
                .zip(wanted.to_le_bytes());
            let off = near.map(|(one, other)| one.abs_diff(other)).max();
            assert!(off <= Some(2), "{x} {y} {:#x} {wanted:#x}", after[at]);
        }
    }
}

#[test]
fn reset_stops_a_triangle_that_covers_nothing() {
    let mut gpu = Gpu::new();
    let far = f64::from(SURFACE_MAX);
    // Between the centers of the pixels, from one corner of the largest surface to the other: to
    // look for pixels in it takes minutes, as these tests are built.
    let sliver = [(0.25, 0.0, 1), (far + 0.25, far, 1), (far + 0.375, far, 1)];
    let size = [SURFACE_MAX, SURFACE_MAX];
    let triangle = Stream::new().triangle((KERNEL_VRAM, SURFACE_MAX * 4), size, sliver, 0);
    gpu.submit(RENDER, &triangle);
    wait_for("a busy engine", || gpu.busy(RENDER));
    let start = Instant::now();
    gpu.write_engine(RENDER, regs::ENGINE_CONTROL, regs::CONTROL_RESET);
    assert!(start.elapsed() < PROMPT);
    gpu.assert_no_fault();
}

#[test]
fn a_corner_too_far_or_a_surface_too_large() {
    let mut gpu = Gpu::new();
    let near = [(0.0, 0.0, 1), (1.0, 0.0, 1), (0.0, 1.0, 1)];
    let far = |x, y| [near[0], near[1], (x, y, 1)];
    let most = f64::from(CORNER_MAX);
    let surface = (KERNEL_VRAM, 4);
    let area = |number| (KERNEL_VRAM, 4, number);
    let good = [0, 0, 1, 1];
    for stream in [
        Stream::new().triangle(surface, [SURFACE_MAX + 1, 1], near, 0),
        Stream::new().triangle(surface, [1, u32::MAX], near, 0),
        Stream::new().triangle(surface, [1, 1], far(most + 1.0, 0.0), 0),
        Stream::new().triangle(surface, [1, 1], far(0.0, -most - 1.0), 0),
        Stream::new().triangle((KERNEL_VRAM, 6), [1, 1], near, 0),
        Stream::new().triangle(surface, [1, 1], near, 2),
        Stream::new().blit(area([SURFACE_MAX + 1, 0, 1, 1]), area(good), 0),
        Stream::new().blit(area(good), area([0, 0, 1, SURFACE_MAX + 1]), 0),
        Stream::new().blit(area([0, 0, 0, 1]), area(good), 0),
        Stream::new().blit((KERNEL_VRAM, 2, good), area(good), 0),
        Stream::new().blit(area(good), (KERNEL_VRAM, 2, good), 0),
        Stream::new().blit(area(good), area(good), 2),
        Stream::new().packet(op::BLIT, 0, &[0; 13]),
        Stream::new().packet(op::TRIANGLE, 0, &[0; 15]),
    ] {
        gpu.submit(RENDER, &stream);
        gpu.wait_halted(RENDER);
        assert_eq!(
            gpu.fault().map(|fault| fault.reason),
            Some(fault::BAD_PACKET)
        );
        gpu.start_engine(RENDER, RING_SIZE);
    }
    // Copy engines do not draw.
    gpu.submit(COPY, &Stream::new().triangle(surface, [1, 1], near, 0));
    gpu.wait_halted(COPY);
}

#[test]
fn drawing_faults_where_there_is_no_page() {
    let mut gpu = Gpu::new();
    const SPACE: u32 = 2;
    const VA: u64 = 0x10_0000;
    gpu.new_space(SPACE);
    let flags = pte::SYSTEM | pte::WRITABLE;
    gpu.map(SPACE, VA, RAM + DATA, 8192, flags, PageSize::K4);
    gpu.map(
        SPACE,
        VA + (1 << 20),
        RAM + DATA,
        4096,
        pte::SYSTEM,
        PageSize::K4,
    );
    // 1024 bytes a row: row 8 is behind the pages.
    let corners = [(0.0, 0.0, 7), (200.0, 0.0, 7), (0.0, 200.0, 7)];
    let edge = (1 << 48) - 4096;
    let area = |at, height| (at, 1024, [0, 0, 16, height]);
    for (stream, access, reason, address) in [
        (
            Stream::new().triangle((VA, 1024), [256, 256], corners, 0),
            fault::ACCESS_WRITE,
            fault::NOT_PRESENT,
            VA + 8192,
        ),
        (
            Stream::new().triangle((VA + (1 << 20), 1024), [4, 4], corners, 0),
            fault::ACCESS_WRITE,
            fault::NOT_WRITABLE,
            VA + (1 << 20),
        ),
        (
            Stream::new().triangle((edge, 1024), [256, 256], corners, 0),
            fault::ACCESS_WRITE,
            fault::OUT_OF_RANGE,
            edge,
        ),
        (
            Stream::new().triangle((VA + 2, 1024), [256, 256], corners, 0),
            fault::ACCESS_WRITE,
            fault::MISALIGNED,
            VA + 2,
        ),
        (
            Stream::new().blit(area(VA + 4096, 5), area(VA, 5), 0),
            fault::ACCESS_READ,
            fault::NOT_PRESENT,
            VA + 8192,
        ),
        (
            Stream::new().blit(area(VA, 1), area(VA, 9), BLEND),
            fault::ACCESS_READ,
            fault::NOT_PRESENT,
            VA + 8192,
        ),
        (
            Stream::new().blit(area(u64::MAX - 3, 1), area(VA, 1), 0),
            fault::ACCESS_READ,
            fault::OUT_OF_RANGE,
            u64::MAX - 3,
        ),
    ] {
        gpu.run_ib(RENDER, SPACE, &stream, 9);
        let fault = gpu.fault().unwrap();
        assert_eq!(
            (fault.access, fault.reason),
            (access, reason),
            "{address:#x}"
        );
        assert_eq!((fault.address, fault.tag), (address, 9));
    }
    // The pixels before the page are drawn.
    assert_eq!(content(gpu.ram_at(DATA, 4)), [7, 0, 0, 0]);
}
