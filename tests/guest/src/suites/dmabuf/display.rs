// SPDX-License-Identifier: GPL-2.0

//! Pictures that our GPU renders and another driver shows.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rgt::{Bo, WaitFor};

use crate::expect::same;
use crate::harness::{Outcome, Test, tests};
use crate::peer::{Cpu, DmaBuf, Picture, Vkms};
use crate::rig::{PATIENCE, Rig};

pub(super) const TESTS: &[Test] = tests![
    a_picture_is_shown,
    a_slow_picture_is_never_shown_half_drawn,
    it_is_shown_after_its_fence,
    the_next_picture_waits_for_the_display,
];

/// The time of some frames.
const FRAMES: Duration = Duration::from_millis(500);
/// What a display keeps of a pixel.
const COLOUR: u32 = 0x00ff_ffff;

/// Every pixel of what was read back has a colour.
fn all_are(vkms: &Vkms, back: &Picture<'_>, colour: u32) -> Outcome {
    let map = back.map()?;
    for pixel in 0..vkms.pixels() {
        same("pixel", map.read(4 * pixel) & COLOUR, colour & COLOUR)?;
    }
    Ok(())
}

fn a_picture_is_shown() -> Outcome {
    let rig = Rig::new()?;
    let vkms = Vkms::open()?;
    let back = vkms.own()?;
    for (colour, make) in [
        (
            0x12_3456,
            (|rig, size| rig.gtt(size)) as fn(&Rig, u64) -> Result<Bo>,
        ),
        (0x65_4321, |rig, size| rig.bo(size, |bo| bo)),
    ] {
        let bo = make(&rig, vkms.bytes())?;
        rig.fill(&bo, colour)?;
        let buf: DmaBuf = bo.export()?.into();
        let picture = vkms.import(&buf)?;
        let shown = vkms.show(&picture, None, &back)?;
        shown.read_back.wait(PATIENCE)?;
        all_are(&vkms, &back, colour)?;
        // Jobs draw into what is on the screen.
        rig.fill(&bo, colour + 1)?;
        let shown = vkms.show(&picture, None, &back)?;
        shown.read_back.wait(PATIENCE)?;
        all_are(&vkms, &back, colour + 1)?;
    }
    Ok(())
}

/// Shows a picture before it is drawn, by the fences of its buffer or by a fence of its own.
fn shown_early(colour: u32, by_own_fence: bool) -> Outcome {
    let rig = Rig::new()?;
    let vkms = Vkms::open()?;
    let back = vkms.own()?;
    let bo = rig.gtt(vkms.bytes())?;
    rig.fill(&bo, 0)?;
    let buf: DmaBuf = bo.export()?.into();
    let picture = vkms.import(&buf)?;
    let drawing = rig.held(rig.copy, |work| {
        let to = work.writes(&bo)?;
        work.commands.fill(to, bo.size(), colour)?;
        Ok(())
    })?;
    let drawn = match by_own_fence {
        true => Some(buf.export_sync_file(Cpu::Reads)?),
        false => None,
    };
    let shown = vkms.show(&picture, drawn.as_ref(), &back)?;
    ensure!(
        matches!(shown.read_back.wait(FRAMES), Err(rgt::Error::TimedOut)),
        "shown before it was drawn"
    );
    drawing.finish()?;
    shown.read_back.wait(PATIENCE)?;
    all_are(&vkms, &back, colour)
}

fn a_slow_picture_is_never_shown_half_drawn() -> Outcome {
    shown_early(0xab_cdef, false)
}

fn it_is_shown_after_its_fence() -> Outcome {
    shown_early(0x10_2030, true)
}

fn the_next_picture_waits_for_the_display() -> Outcome {
    let rig = Rig::new()?;
    let vkms = Vkms::open()?;
    let back = vkms.own()?;
    let bos = [rig.gtt(vkms.bytes())?, rig.gtt(vkms.bytes())?];
    let bufs: [DmaBuf; 2] = [bos[0].export()?.into(), bos[1].export()?.into()];
    let pictures = [vkms.import(&bufs[0])?, vkms.import(&bufs[1])?];
    for frame in 1..6u32 {
        let at = frame as usize % 2;
        rig.fill(&bos[at], frame)?;
        let shown = vkms.show(&pictures[at], None, &back)?;
        // The other one was on the screen until this one was.
        bufs[1 - at].import_sync_file(Cpu::Reads, &shown.flipped)?;
        bos[1 - at].wait(PATIENCE, WaitFor::All)?;
        let flipped = shown.flipped.wait(Duration::ZERO);
        flipped.context("it did not wait")?;
        shown.read_back.wait(PATIENCE)?;
        all_are(&vkms, &back, frame)?;
    }
    Ok(())
}
