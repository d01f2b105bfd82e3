// SPDX-License-Identifier: GPL-2.0

//! Self-test at probe: all engines copy, by DMA, and the CPU sees VRAM.

use core::ops::Range;

use kernel::{
    device::{
        Bound,
        Device, //
    },
    page::PAGE_SIZE,
    prelude::*,
    time::Jiffies, //
};

use super::object::BoData;
use crate::{
    device::RgtDevice,
    fence::{
        Completion,
        Dependencies, //
    },
    hw::{
        Commands,
        Engine,
        Gpu,
        PacketBuffer, //
    },
    placement::pages,
    resource_mgr::{
        Cursor,
        LocalResource, //
    },
    rust::drm::ttm::{
        self,
        MemType,
        Place,
        PlaceFlags, //
    },
    sched::Queue, //
};

type KernelBo<'a> = ttm::KernelBo<'a, BoData>;

/// The bytes of each copy.
const SIZE: usize = 2 * PAGE_SIZE;

/// Copies a pattern from VRAM to system pages and another one back with each engine, and compares.
///
/// To be called before the device is registered. Takes no longer than the job timeout.
///
/// # Errors
///
/// With a message, that of a copy that fails, [`EILSEQ`] if one differs.
pub(crate) fn run(dev: &RgtDevice, bound: &Device<Bound>, gpu: &Gpu) -> Result {
    let visible = pages(dev.managers.vram.inner().cpu_visible_end());
    let vram = Place::new(MemType::VRAM, PlaceFlags::NONE).within(0, visible);
    let test = Test {
        gpu,
        vram: KernelBo::new(dev, bound, SIZE, vram, BoData::of_kernel(MemType::VRAM))?,
        pages: KernelBo::new(
            dev,
            bound,
            SIZE,
            Place::new(MemType::TT, PlaceFlags::NONE),
            BoData::of_kernel(MemType::TT),
        )?,
    };

    for queue in dev.queues.iter() {
        let engine = queue.engine();
        for direction in [Direction::ToPages, Direction::ToVram] {
            test.copy(queue, direction)
                .and_then(|()| test.compare(engine, direction))
                .inspect_err(|err| {
                    dev_err!(
                        bound,
                        "self-test: engine {} failed to copy {}: {:?}\n",
                        engine.index(),
                        direction.name(),
                        err
                    )
                })?;
        }
    }
    Ok(())
}

/// The direction of a copy.
#[derive(Clone, Copy)]
enum Direction {
    ToPages,
    ToVram,
}

impl Direction {
    fn name(self) -> &'static str {
        match self {
            Self::ToPages => "from VRAM to system memory",
            Self::ToVram => "from system memory to VRAM",
        }
    }
}

struct Test<'a> {
    gpu: &'a Gpu,
    vram: KernelBo<'a>,
    pages: KernelBo<'a>,
}

impl<'a> Test<'a> {
    /// Returns source and destination of a direction.
    fn ends(&self, direction: Direction) -> (&KernelBo<'a>, &KernelBo<'a>) {
        match direction {
            Direction::ToPages => (&self.vram, &self.pages),
            Direction::ToVram => (&self.pages, &self.vram),
        }
    }

    /// Copies a pattern of an engine's own with it.
    fn copy(&self, queue: &Queue, direction: Direction) -> Result {
        let engine = queue.engine();
        let (from, to) = self.ends(direction);
        for at in offsets() {
            from.write(at, &pattern(engine, direction, at))?;
            to.write(at, &!pattern(engine, direction, at))?;
        }

        let local = LocalResource::of(self.vram.resource()).ok_or(EINVAL)?;
        let segment = Cursor::local(local, 0..SIZE as u64).next().ok_or(EINVAL)?;
        let vram = segment.va(self.gpu)?;
        let addresses = self
            .pages
            .tt()
            .and_then(|tt| tt.dma_addresses())
            .ok_or(EINVAL)?;

        let mut packets = PacketBuffer::new();
        let window = queue.window(self.gpu, addresses)?;
        let pages = window.begin(&mut packets)?;
        match direction {
            Direction::ToPages => packets.copy(vram, pages, SIZE as u64)?,
            Direction::ToVram => packets.copy(pages, vram, SIZE as u64)?,
        }
        let commands = Commands::packets(packets)?;
        let fence = queue.submit_kernel(
            commands,
            Some(window),
            &Dependencies::new(),
            Completion::none(),
        )?;

        // The scheduler's timeout ends a job that hangs.
        fence.wait(false, Jiffies::MAX)?;
        fence.status().unwrap_or(Err(EIO))
    }

    /// Compares the destination with the pattern.
    fn compare(&self, engine: &Engine, direction: Direction) -> Result {
        let (_, to) = self.ends(direction);
        for at in offsets() {
            if to.read::<u32>(at)? != pattern(engine, direction, at) {
                return Err(EILSEQ);
            }
        }
        Ok(())
    }
}

/// Returns the offsets of all words.
fn offsets() -> core::iter::StepBy<Range<usize>> {
    (0..SIZE).step_by(size_of::<u32>())
}

/// Returns the pattern's word at an offset, which is unique for each offset, engine and direction.
fn pattern(engine: &Engine, direction: Direction, at: usize) -> u32 {
    const GOLDEN: u32 = 0x9e37_79b1;
    let number = (engine.index() * 2 + direction as u32) * SIZE as u32 + at as u32;

    number.wrapping_mul(GOLDEN)
}
