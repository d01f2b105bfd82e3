// SPDX-License-Identifier: GPL-2.0

//! Our BOs, used by others.

use anyhow::{Context, Result, ensure};
use rgt::{Bo, Mapping, Placement, RegionKind};
use rustix::io::Errno;

use crate::expect::{each, fails, same};
use crate::harness::{Outcome, Test, tests};
use crate::peer::{Cpu, DmaBuf, Vgem};
use crate::rig::{HIDDEN, MIB, PAGE, Pressure, Rig, SHARED, noise};

pub(super) const TESTS: &[Test] = tests![
    a_peer_sees_what_the_gpu_wrote,
    the_gpu_sees_what_a_peer_wrote,
    what_a_peer_has_goes_to_pages,
    what_cannot_leave_vram_is_refused,
    the_cpu_reaches_hidden_vram,
    cpu_access_brings_it_into_the_window,
    a_mapping_follows_moves,
    a_mapping_stays_in_the_buffer,
];

fn a_peer_sees_what_the_gpu_wrote() -> Outcome {
    let rig = Rig::new()?;
    let vgem = Vgem::open()?;
    for (name, make) in SHARED.into_iter().skip(1) {
        let bo = rig.bo(MIB, make)?;
        rig.fill(&bo, 0xabad_cafe)?;
        let buf: DmaBuf = bo.export()?.into();
        let _theirs = vgem.import(&buf)?;
        let map = buf.map()?;
        let sum = buf.access(Cpu::Reads, |map| map.checksum(0..map.len()))?;
        same(name, sum, rgt::checksum::of_fill(0xabad_cafe, MIB / 4))?;
        // It is not a copy.
        rig.fill(&bo, 2)?;
        same(name, map.read(MIB as usize - 4), 2)?;
    }
    Ok(())
}

fn the_gpu_sees_what_a_peer_wrote() -> Outcome {
    let rig = Rig::new()?;
    let vgem = Vgem::open()?;
    let words = noise(5, MIB as usize / 4);
    each(SHARED, |make| {
        let bo = rig.bo(MIB, make)?;
        let buf: DmaBuf = bo.export()?.into();
        // With a peer, where it can have one, and without.
        let _theirs = match bo.info()?.placement.contains(Placement::GTT) {
            true => Some(vgem.import(&buf)?),
            false => None,
        };
        buf.access(Cpu::Writes, |map| map.write_slice(0, &words))?;
        same("sum", rig.checksum(&bo)?, rgt::checksum::of_dwords(&words))
    })
}

fn what_a_peer_has_goes_to_pages() -> Outcome {
    let rig = Rig::new()?;
    let vgem = Vgem::open()?;
    let bo = rig.bo(MIB, |bo| bo)?;
    rig.fill(&bo, 9)?;
    same("place", bo.info()?.current_placement, Placement::VRAM)?;
    let buf: DmaBuf = bo.export()?.into();
    let theirs = vgem.import(&buf)?;
    rig.fill(&bo, 10)?;
    same("place", bo.info()?.current_placement, Placement::GTT)?;
    same("word", buf.map()?.read(0), 10)?;
    drop(theirs);
    rig.fill(&bo, 11)?;
    same("place", bo.info()?.current_placement, Placement::VRAM)
}

fn what_cannot_leave_vram_is_refused() -> Outcome {
    let rig = Rig::new()?;
    let vgem = Vgem::open()?;
    let bo = rig.bo(PAGE, HIDDEN)?;
    let buf: DmaBuf = bo.export()?.into();
    let error = vgem.import(&buf).err().and_then(|error| {
        let error = error.downcast::<std::io::Error>().ok()?;
        Errno::from_io_error(&error)
    });
    same("import by a peer", error, Some(Errno::OPNOTSUPP))
}

fn the_cpu_reaches_hidden_vram() -> Outcome {
    let rig = Rig::new()?;
    let bo = rig.bo(MIB, HIDDEN)?;
    rig.fill(&bo, 0x1234)?;
    let buf: DmaBuf = bo.export()?.into();
    let word = buf.access(Cpu::Reads, |map| map.read(0))?;
    same("word", word, 0x1234)?;
    buf.access(Cpu::Writes, |map| map.fill(0..map.len(), 0x4321))?;
    let sum = rgt::checksum::of_fill(0x4321, MIB / 4);
    same("sum", rig.checksum(&bo)?, sum)
}

fn cpu_access_brings_it_into_the_window() -> Outcome {
    let rig = Rig::new()?;
    let bo = rig.bo(MIB, HIDDEN)?;
    rig.fill(&bo, 1)?;
    let visible = || -> Result<u64> {
        let vram = rig.device.region(RegionKind::Vram)?.context("VRAM")?;
        Ok(vram.cpu_visible_used)
    };
    let before = visible()?;
    let buf: DmaBuf = bo.export()?.into();
    // Before anything touches it.
    let during = buf.access(Cpu::Reads, |_| visible())??;
    ensure!(
        during >= before + MIB,
        "visible VRAM in use: {before} before, {during} during CPU access"
    );
    Ok(())
}

fn a_mapping_follows_moves() -> Outcome {
    let rig = Rig::new()?;
    let bo = Bo::builder(MIB).create(&rig.device)?;
    let buf: DmaBuf = bo.export()?.into();
    let map = buf.map()?;
    let pressure = Pressure::on(&rig.device)?;
    for round in 1..4 {
        rig.fill(&bo, round)?;
        same("word", map.read(0), round)?;
        pressure.round()?;
        same("word after an eviction", map.read(PAGE as usize), round)?;
    }
    Ok(())
}

fn a_mapping_stays_in_the_buffer() -> Outcome {
    let rig = Rig::new()?;
    let buf: DmaBuf = rig.gtt(2 * PAGE)?.export()?.into();
    let at = |page, pages| Mapping::new(&buf, page * PAGE, pages * PAGE as usize);
    fails("over its end", Errno::INVAL, at(1, 2))?;
    fails("behind its end", Errno::INVAL, at(2, 1))?;
    same("its second page", at(1, 1)?.read(0), 0)
}
