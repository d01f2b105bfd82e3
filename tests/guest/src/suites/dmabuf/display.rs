// SPDX-License-Identifier: GPL-2.0

//! Pictures that our GPU renders and another driver shows.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rgt::{Bo, SyncFile, WaitFor};

use crate::expect::same;
use crate::harness::{Outcome, Test, tests};
use crate::peer::{Cpu, DmaBuf, Picture, Vkms};
use crate::rig::{PATIENCE, Rig};

pub(super) const TESTS: &[Test] = tests![
    a_picture_is_shown,
    a_slow_picture_is_never_shown_half_drawn,
    it_is_shown_after_its_fence,
    it_is_shown_before_what_is_not_its_fence,
    a_late_picture_holds_up_no_other,
    the_next_picture_waits_for_the_display,
];

/// The time of some frames.
const FRAMES: Duration = Duration::from_millis(500);
/// The bits of a pixel that a display keeps.
const COLOUR: u32 = 0x00ff_ffff;

/// Every pixel of what was read back has a colour.
fn all_are(vkms: &Vkms, back: &Picture<'_>, colour: u32) -> Outcome {
    let map = back.map()?;
    for pixel in 0..vkms.pixels() {
        same("pixel", map.read(4 * pixel) & COLOUR, colour & COLOUR)?;
    }
    Ok(())
}

/// Shows a picture, and waits until it was read back and the display takes the next one.
fn show(
    vkms: &Vkms,
    picture: &Picture<'_>,
    after: Option<&SyncFile>,
    back: &Picture<'_>,
) -> Outcome {
    let shown = vkms.show(picture, after, back)?;
    shown.read_back.wait(PATIENCE).context("it is not shown")?;
    shown.flipped.wait(PATIENCE).context("it is not flipped")
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
        show(&vkms, &picture, None, &back)?;
        all_are(&vkms, &back, colour)?;
        // Jobs draw into what is on the screen.
        rig.fill(&bo, colour + 1)?;
        show(&vkms, &picture, None, &back)?;
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

fn it_is_shown_before_what_is_not_its_fence() -> Outcome {
    let rig = Rig::new()?;
    let vkms = Vkms::open()?;
    let back = vkms.own()?;
    let bo = rig.gtt(vkms.bytes())?;
    rig.fill(&bo, 0x77_8899)?;
    let buf: DmaBuf = bo.export()?.into();
    let picture = vkms.import(&buf)?;
    let drawn = buf.export_sync_file(Cpu::Reads)?;
    let next = rig.held(rig.copy, |work| work.writes(&bo).map(drop))?;
    let shown = vkms.show(&picture, Some(&drawn), &back)?;
    let read_back = shown.read_back.wait(PATIENCE);
    read_back.context("it waits for more than its fence")?;
    ensure!(next.is_pending()?, "the next picture was not late");
    all_are(&vkms, &back, 0x77_8899)?;
    next.finish()
}

/// A picture of a client, its buffer, and when it is drawn.
struct Window<'a> {
    picture: Picture<'a>,
    drawn: SyncFile,
    colour: u32,
    _bo: Bo,
}

impl<'a> Window<'a> {
    fn new(vkms: &'a Vkms, bo: Bo, colour: u32) -> Result<Self> {
        let buf: DmaBuf = bo.export()?.into();
        Ok(Self {
            picture: vkms.import(&buf)?,
            drawn: buf.export_sync_file(Cpu::Reads)?,
            colour,
            _bo: bo,
        })
    }

    fn is_drawn(&self) -> bool {
        self.drawn.wait(Duration::ZERO).is_ok()
    }
}

/// A compositor shows each client's picture when it is ready.
fn a_late_picture_holds_up_no_other() -> Outcome {
    let (rig, late) = (Rig::new()?, Rig::new()?);
    let vkms = Vkms::open()?;
    let back = vkms.own()?;
    let bos = [
        rig.gtt(vkms.bytes())?,
        late.gtt(vkms.bytes())?,
        rig.gtt(vkms.bytes())?,
    ];
    let drawing = late.held(late.copy, |work| {
        let to = work.writes(&bos[1])?;
        work.commands.fill(to, vkms.bytes(), 2)?;
        Ok(())
    })?;
    rig.fill(&bos[0], 1)?;
    rig.fill(&bos[2], 3)?;
    let mut windows = Vec::new();
    for (bo, colour) in bos.into_iter().zip(1..) {
        windows.push(Window::new(&vkms, bo, colour)?);
    }

    let (ready, waiting): (Vec<_>, Vec<_>) = windows.iter().partition(|window| window.is_drawn());
    let show = |window: &Window<'_>| -> Outcome {
        show(&vkms, &window.picture, Some(&window.drawn), &back)
            .with_context(|| format!("picture {}", window.colour))?;
        all_are(&vkms, &back, window.colour)
    };
    let colours = |windows: &[&Window<'_>]| windows.iter().map(|it| it.colour).collect::<Vec<_>>();
    same("drawn", colours(&ready), vec![1, 3])?;
    for window in ready {
        show(window)?;
    }
    ensure!(drawing.is_pending()?, "the late picture was not late");

    drawing.finish()?;
    same("late", colours(&waiting), vec![2])?;
    for window in waiting {
        window.drawn.wait(PATIENCE).context("it is never drawn")?;
        show(window)?;
    }
    Ok(())
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
