// SPDX-License-Identifier: GPL-2.0

//! Shared buffers while their device loses its driver.

use std::time::Duration;

use anyhow::{Context, ensure};
use rgt::Bo;
use rustix::io::Errno;

use super::super::unbind::{Unbound, works};
use crate::expect::{fails_any, same};
use crate::harness::{Outcome, Test, tests};
use crate::peer::{Cpu, DmaBuf, Heap, Vgem, Vkms};
use crate::rig::{MIB, PATIENCE, Rig};

pub(crate) const TESTS: &[Test] = tests![
    an_exporter_goes,
    an_exporter_goes_whose_bo_is_on_the_screen,
    an_importer_goes,
];

/// The errors of a call whose device is gone.
const GONE: [Errno; 2] = [Errno::NODEV, Errno::IO];

fn an_exporter_goes() -> Outcome {
    let vgem = Vgem::open()?;
    let rig = Rig::new()?;
    let bo = rig.bo(MIB, |bo| bo)?;
    rig.fill(&bo, 1)?;
    let buf: DmaBuf = bo.export()?.into();
    let theirs = vgem.import(&buf)?;
    let map = buf.map()?;
    same("before", map.read(0), 1)?;

    let device = Unbound::now()?;
    // A program that has it mapped is not killed.
    map.read(0);
    map.write(4, 2);
    ensure!(buf.poll(Cpu::Writes, Duration::ZERO)?, "it is busy");
    let late = Vgem::open()?;
    ensure!(
        late.import(&buf).is_err(),
        "a device that is gone is shared"
    );
    drop((theirs, bo, rig));
    device.bind()?;
    // Another device than the one that it is of.
    drop((map, buf));
    works()
}

fn an_exporter_goes_whose_bo_is_on_the_screen() -> Outcome {
    let vkms = Vkms::open()?;
    let back = vkms.own()?;
    let rig = Rig::new()?;
    let bo = rig.gtt(vkms.bytes())?;
    rig.fill(&bo, 0x55_6677)?;
    let buf: DmaBuf = bo.export()?.into();
    let picture = vkms.import(&buf)?;
    let shown = vkms.show(&picture, None, &back)?;
    shown.read_back.wait(PATIENCE)?;

    let device = Unbound::now()?;
    drop((bo, rig));
    // The buffer that the display has pinned stays there.
    let shown = vkms.show(&back, None, &vkms.own()?)?;
    let flipped = shown.flipped.wait(PATIENCE);
    flipped.context("the screen is stuck")?;
    let map = back.map()?;
    same("pixel", map.read(0) & 0x00ff_ffff, 0x55_6677)?;
    drop(map);
    drop(picture);
    device.bind()?;
    drop(buf);
    works()
}

fn an_importer_goes() -> Outcome {
    let heap = Heap::system()?;
    let rig = Rig::new()?;
    let buf = heap.allocate(MIB)?;
    let bo = Bo::import(&rig.device, &buf)?;
    rig.fill(&bo, 7)?;
    let map = bo.map()?;

    let device = Unbound::now()?;
    // Its memory is another device's.
    same("by its mapping", map.read(MIB as usize - 4), 7)?;
    let sum = buf.access(Cpu::Reads, |map| map.checksum(0..map.len()))?;
    same("sum", sum, rgt::checksum::of_fill(7, MIB / 4))?;
    let again: rgt::Result<Bo> = Bo::import(&rig.device, heap.allocate(MIB)?);
    fails_any("import", &GONE, again)?;
    drop((map, bo, rig));
    device.bind()?;
    drop(buf);
    works()
}
