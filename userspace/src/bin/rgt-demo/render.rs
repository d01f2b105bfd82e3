// SPDX-License-Identifier: MIT

//! Drawing the scene with the render engine.

use std::time::{Duration, Instant};

use anyhow::Result;
use rgt::packet::Surface;
use rgt::{
    Bo, BoFlags, CommandBuffer, Device, Engine, EngineClass, Job, Placement, Vm, abi, checksum,
};

use crate::args::Size;
use crate::canvas::Canvas;
use crate::layout::Memory;
use crate::picture::Picture;
use crate::regions::{PATIENCE, copy, gpu_checksum};
use crate::scene;
use crate::table::Row;

/// Draws into VRAM, copies the picture to where the CPU reads it, and compares both with what
/// the CPU draws.
pub(crate) fn run(device: &Device, size: Size, show: &mut dyn FnMut(Row)) -> Result<Picture> {
    let canvas = scene::draw(size, &Memory::of(device)?);
    let expected = checksum::of_dwords(&canvas.pixels());
    let bytes = u64::from(size.width) * u64::from(size.height) * 4;

    let render = device.engine(EngineClass::Render)?;
    let copier = device.engine(EngineClass::Copy)?;
    let vm = Vm::create(device)?;
    let surface = Bo::builder(bytes)
        .placement(Placement::VRAM)
        .flags(BoFlags::NO_CPU_ACCESS)
        .create(device)?;
    let took = draw(&vm, render, &surface, size, &canvas)?;
    let drawn = gpu_checksum(&vm, render, &surface, bytes)?;

    let read_back = Bo::builder(bytes)
        .placement(Placement::GTT)
        .create(device)?;
    let took_copy = copy(&vm, copier, &surface, &read_back, bytes)?;
    let copied = gpu_checksum(&vm, copier, &read_back, bytes)?;
    let mut pixels = vec![0; bytes as usize / 4];
    read_back.map()?.read_slice(0, &mut pixels);
    let read = checksum::of_dwords(&pixels);

    let row = |region: &str, engine: Engine, gpu, took| Row {
        region: region.into(),
        bytes,
        engine: format!("{} {}", engine.class, engine.id),
        expected,
        gpu,
        read_back: read,
        took,
    };
    show(row("picture in VRAM", render, drawn, took));
    show(row("picture in GTT", copier, copied, took_copy));
    Ok(Picture { size, pixels })
}

/// Draws all rectangles in one job; gives the time it took.
fn draw(vm: &Vm, engine: Engine, bo: &Bo, size: Size, canvas: &Canvas) -> Result<Duration> {
    let target = vm.map(bo)?;
    let surface = Surface {
        addr: target.addr(),
        pitch: size.width * 4,
    };
    let dwords = canvas.rects().len() * abi::packet::len::RECT_FILL as usize;
    let mut commands = CommandBuffer::new(vm, dwords)?;
    for rect in canvas.rects() {
        commands.rect_fill(surface, *rect)?;
    }
    let start = Instant::now();
    Job::new(vm, engine)
        .ib(commands.take())
        .write(bo)
        .submit()?;
    commands.wait(PATIENCE)?;
    Ok(start.elapsed())
}
