// SPDX-License-Identifier: GPL-2.0

//! Whether the GPU does what it is for: its engines copy, by DMA, and the CPU sees its memory.

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

use super::{
    object::BoData,
    window::Windows, //
};
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

/// Bytes that each copy moves.
const SIZE: usize = 2 * PAGE_SIZE;

/// Has each engine copy a pattern from VRAM to system pages and another one back, and compares what
/// arrives.
///
/// For a GPU that does not run jobs of others yet, or not any more. Takes no longer than the
/// scheduler lets a job take.
///
/// # Errors
///
/// [`EIO`], with a message, if anything is not as it should be.
pub(crate) fn run(dev: &RgtDevice, bound: &Device<Bound>, gpu: &Gpu) -> Result {
    let visible = pages(dev.managers.vram.inner().visible_size());
    let vram = Place::new(MemType::VRAM, PlaceFlags::NONE).within(0, visible);
    let test = Test {
        gpu,
        windows: &dev.windows,
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
        for way in [Way::ToPages, Way::ToVram] {
            test.copy(queue, way)
                .and_then(|()| test.compare(engine, way))
                .inspect_err(|err| {
                    dev_err!(
                        bound,
                        "self-test: engine {} failed to copy {}: {:?}\n",
                        engine.index(),
                        way.name(),
                        err
                    )
                })
                .map_err(|_| EIO)?;
        }
    }
    Ok(())
}

/// Which way a copy goes.
#[derive(Clone, Copy)]
enum Way {
    ToPages,
    ToVram,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::ToPages => "from VRAM to system memory",
            Self::ToVram => "from system memory to VRAM",
        }
    }
}

struct Test<'a> {
    gpu: &'a Gpu,
    windows: &'a Windows,
    vram: KernelBo<'a>,
    pages: KernelBo<'a>,
}

impl<'a> Test<'a> {
    /// Source and destination of a way.
    fn ends(&self, way: Way) -> (&KernelBo<'a>, &KernelBo<'a>) {
        match way {
            Way::ToPages => (&self.vram, &self.pages),
            Way::ToVram => (&self.pages, &self.vram),
        }
    }

    /// Has an engine copy a pattern of its own.
    fn copy(&self, queue: &Queue, way: Way) -> Result {
        let engine = queue.engine();
        let (from, to) = self.ends(way);
        for at in offsets() {
            from.write(at, &pattern(engine, way, at))?;
            to.write(at, &!pattern(engine, way, at))?;
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
        let mut window = self.windows.take()?;
        let pages = window.show(self.gpu, addresses, &mut packets)?;
        match way {
            Way::ToPages => packets.copy(vram, pages, SIZE as u64)?,
            Way::ToVram => packets.copy(pages, vram, SIZE as u64)?,
        }
        let commands = Commands::packets(packets)?;
        let fence = queue.submit_kernel(commands, &Dependencies::new(), Completion::none())?;
        window.used_by(&fence);

        // The scheduler ends the job if the engine does not.
        fence.wait(false, Jiffies::MAX)?;
        fence.status().unwrap_or(Err(EIO))
    }

    /// Looks at what arrived.
    fn compare(&self, engine: &Engine, way: Way) -> Result {
        let (_, to) = self.ends(way);
        for at in offsets() {
            if to.read::<u32>(at)? != pattern(engine, way, at) {
                return Err(EILSEQ);
            }
        }
        Ok(())
    }
}

/// Offsets of all words.
fn offsets() -> core::iter::StepBy<Range<usize>> {
    (0..SIZE).step_by(size_of::<u32>())
}

/// What the word at an offset is: no two words, engines or ways have the same.
fn pattern(engine: &Engine, way: Way, at: usize) -> u32 {
    const GOLDEN: u32 = 0x9e37_79b1;
    let number = (engine.index() * 2 + way as u32) * SIZE as u32 + at as u32;

    number.wrapping_mul(GOLDEN)
}
