// SPDX-License-Identifier: GPL-2.0

//! What the threads do in a round.

use std::thread;
use std::time::Duration;

use anyhow::Result;
use rgt::{Binding, Bo, Cause, Context, Priority};

use crate::expect::{content_is, same};
use crate::harness::Outcome;
use crate::peer::{Cpu, DmaBuf, Vgem, udmabuf};
use crate::rig::{Dice, Kept, MIB, Rig, SHARED, compact, noise, shrink_all};
use crate::suites::clients;
use crate::suites::racing::{WINDOW, bind_look_unbind, numbered};
use crate::suites::reset::verdict;
use crate::suites::userptr::{Area, Bound, HUGE};

/// Maps parts of a BO that is evicted all the time, and looks through them.
pub(super) struct Binds {
    rig: Rig,
    bo: Bo,
    range: Binding,
}

impl Binds {
    pub(super) fn new() -> Result<Self> {
        let rig = Rig::new()?;
        Ok(Self {
            bo: numbered(&rig)?,
            range: rig.vm.reserve(WINDOW)?,
            rig,
        })
    }

    pub(super) fn round(&mut self, round: u32) -> Outcome {
        bind_look_unbind(&self.rig, &self.bo, self.range.addr(), round.into())
    }
}

/// Shares buffers with another device, and uses those of another.
pub(super) struct Shares {
    rig: Rig,
    vgem: Vgem,
}

impl Shares {
    pub(super) fn new() -> Result<Self> {
        Ok(Self {
            rig: Rig::new()?,
            vgem: Vgem::open()?,
        })
    }

    pub(super) fn round(&mut self, round: u32) -> Outcome {
        // The other device cannot access VRAM.
        let [_, in_pages @ ..] = &SHARED;
        let (_, make) = in_pages[round as usize % in_pages.len()];
        let kept = Kept::new(&self.rig, make, round + 1)?;
        let buf: DmaBuf = kept.bo.export()?.into();
        let theirs = self.vgem.import(&buf)?;
        buf.access(Cpu::Reads, |map| content_is("a buffer", map, &kept.content))??;
        drop((theirs, buf));
        kept.check(&self.rig)?;

        let content = noise(round + 7, MIB as usize / 4);
        let buf = udmabuf(MIB)?;
        buf.map()?.write_slice(0, &content);
        let theirs = Bo::import(&self.rig.device, &buf)?;
        let own = self.rig.vram(MIB)?;
        self.rig.copy(&theirs, &own)?;
        content_is("a copy", &own.map()?, &content)
    }
}

/// Brings memory of the process through VRAM to other memory of it, whose pages come and go.
pub(super) struct Uploads {
    rig: Rig,
    vram: Bo,
    from: (Area, Bound),
    to: (Area, Bound),
}

impl Uploads {
    pub(super) fn new() -> Result<Self> {
        let rig = Rig::new()?;
        let bound = |area: Area| -> Result<_> {
            // Small pages at first, so that they can become a huge one.
            area.number(0);
            area.advise(0, HUGE, libc::MADV_HUGEPAGE)?;
            let bound = area.bind(&rig)?;
            Ok((area, bound))
        };
        let [from, to] = [Area::aligned(HUGE)?, Area::aligned(HUGE)?].map(bound);
        Ok(Self {
            from: from?,
            to: to?,
            vram: rig.vram(HUGE as u64)?,
            rig,
        })
    }

    pub(super) fn round(&mut self, round: u32) -> Outcome {
        let ((from, source), (to, target)) = (&self.from, &self.to);
        if round % 2 == 1 {
            from.advise(0, HUGE / 2, libc::MADV_DONTNEED)?;
            to.advise(0, HUGE, libc::MADV_DONTNEED)?;
        }
        from.number(round << 16);
        let mut work = self.rig.work(self.rig.copy)?;
        let middle = work.writes(&self.vram)?;
        work.commands.copy(source.addr(), middle, HUGE as u64)?;
        work.commands.copy(middle, target.addr(), HUGE as u64)?;
        work.run()?;
        same("the sum", to.checksum(), from.checksum())?;
        // As if memory was short.
        from.advise(0, HUGE, libc::MADV_PAGEOUT)?;
        same(
            "the sum by the GPU",
            source.checksum(&self.rig)?,
            to.checksum(),
        )
    }
}

/// Has an engine hang in a job, which alone fails.
pub(super) struct Hangs(Rig);

impl Hangs {
    pub(super) fn new() -> Result<Self> {
        Ok(Self(Rig::new()?))
    }

    pub(super) fn round(&mut self, round: u32) -> Outcome {
        let engines = self.0.device.engines();
        let engine = engines[round as usize % engines.len()];
        let context = Context::create(&self.0.device, Priority::Normal)?;
        let busy = self.0.endless(engine, |work| {
            work.context(&context);
            Ok(())
        })?;
        busy.wait()?;
        verdict("who hung", &context, Some(Cause::Hang), true)
    }
}

/// Kills a client in the middle of its work.
pub(super) struct Kills(Dice);

impl Kills {
    pub(super) fn new() -> Self {
        Self(Dice::new(5))
    }

    pub(super) fn round(&mut self, round: u32) -> Outcome {
        let client = clients::start(100 + round, Duration::from_secs(600))?;
        thread::sleep(Duration::from_millis(300 + u64::from(self.0.below(1500))));
        client.kill()
    }
}

/// Moves pages that can be moved, and takes those that can be taken.
pub(super) fn machine(round: u32) -> Outcome {
    compact()?;
    if round % 4 == 3 {
        shrink_all()?;
    }
    thread::sleep(Duration::from_millis(300));
    Ok(())
}
