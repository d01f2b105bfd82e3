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

const SLOW: Duration = Duration::from_secs(5);
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

/// Submits a job that takes its time, then draws.
fn draw_slowly(rig: &Rig, bo: &Bo, colour: u32) -> Result<crate::rig::Busy> {
    rig.busy(rig.copy, SLOW, |work| {
        let to = work.writes(bo)?;
        work.commands.fill(to, bo.size(), colour)?;
        Ok(())
    })
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

fn a_slow_picture_is_never_shown_half_drawn() -> Outcome {
    let rig = Rig::new()?;
    let vkms = Vkms::open()?;
    let back = vkms.own()?;
    let bo = rig.gtt(vkms.bytes())?;
    rig.fill(&bo, 0)?;
    let buf: DmaBuf = bo.export()?.into();
    let picture = vkms.import(&buf)?;
    let busy = draw_slowly(&rig, &bo, 0xab_cdef)?;
    let shown = vkms.show(&picture, None, &back)?;
    ensure!(busy.runs()?, "the commit waited");
    shown.read_back.wait(PATIENCE)?;
    ensure!(!busy.runs()?, "shown before it was drawn");
    all_are(&vkms, &back, 0xab_cdef)
}

fn it_is_shown_after_its_fence() -> Outcome {
    let rig = Rig::new()?;
    let vkms = Vkms::open()?;
    let back = vkms.own()?;
    let bo = rig.gtt(vkms.bytes())?;
    rig.fill(&bo, 0)?;
    let buf: DmaBuf = bo.export()?.into();
    let picture = vkms.import(&buf)?;
    let busy = draw_slowly(&rig, &bo, 0x10_2030)?;
    let drawn = buf.export_sync_file(Cpu::Reads)?;
    let shown = vkms.show(&picture, Some(&drawn), &back)?;
    ensure!(busy.runs()?, "the commit waited");
    shown.read_back.wait(PATIENCE)?;
    ensure!(!busy.runs()?, "shown before it was drawn");
    all_are(&vkms, &back, 0x10_2030)
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
