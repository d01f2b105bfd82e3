// SPDX-License-Identifier: GPL-2.0

//! qxl, a driver that shares the files of its buffers, but not their memory: it neither gives nor
//! takes tables of pages.

use std::os::fd::AsFd;

use anyhow::{Context, Result};
use rgt::{Bo, Placement};
use rustix::fs::fstat;
use rustix::io::Errno;

use crate::expect::{each, fails, of_library, same};
use crate::harness::{Need, Outcome, Suite, Tag, Used, tests};
use crate::peer::{Card, DmaBuf};
use crate::rig::{HIDDEN, MIB, Rig, SHARED, noise};

pub(crate) const SUITE: Suite = Suite {
    name: "dmabuf-qxl",
    needs: &[Need::Qxl],
    tags: &[Tag::Dmabuf],
    tests: &[tests![
        it_does_not_take_ours,
        it_does_not_take_what_cannot_leave_vram,
        our_jobs_do_not_use_its,
        the_cpu_reaches_its_by_our_handle,
        its_own_come_home,
    ]],
};

fn qxl() -> Result<Card> {
    Card::of_driver("qxl")
}

/// The error of a call to the driver itself.
fn errno<T>(result: Result<T>) -> Option<Errno> {
    let error = result.err()?.downcast::<std::io::Error>().ok()?;
    Errno::from_io_error(&error)
}

fn it_does_not_take_ours() -> Outcome {
    let rig = Rig::new()?;
    let qxl = qxl()?;
    each(SHARED.into_iter().skip(1), |make| {
        let before = Used::now()?;
        let bo = rig.bo(MIB, make)?;
        rig.fill(&bo, 0x0042)?;
        let place = bo.info()?.current_placement;
        let buf: DmaBuf = bo.export()?.into();
        same("import", errno(qxl.import(&buf)), Some(Errno::NOSYS))?;
        // While it was asked it had the BO pinned in pages. That is over.
        let sum = rgt::checksum::of_fill(0x0042, MIB / 4);
        same("sum", rig.checksum(&bo)?, sum)?;
        same("place", bo.info()?.current_placement, place)?;
        drop((buf, bo));
        before.wait_until_back()
    })
}

fn it_does_not_take_what_cannot_leave_vram() -> Outcome {
    let rig = Rig::new()?;
    let qxl = qxl()?;
    let bo = rig.bo(MIB, HIDDEN)?;
    rig.fill(&bo, 5)?;
    let buf: DmaBuf = bo.export()?.into();
    same("import", errno(qxl.import(&buf)), Some(Errno::OPNOTSUPP))?;
    let sum = rgt::checksum::of_fill(5, MIB / 4);
    same("sum", rig.checksum(&bo)?, sum)?;
    same("place", bo.info()?.current_placement, Placement::VRAM)
}

fn our_jobs_do_not_use_its() -> Outcome {
    let rig = Rig::new()?;
    let qxl = qxl()?;
    let before = Used::now()?;
    let theirs = qxl.dumb(MIB)?;
    let map = theirs.map()?;
    map.fill(0..map.len(), 0x0666);
    let bo = Bo::import(&rig.device, theirs.export()?)?;
    // The exporter is asked for its pages when the BO is bound.
    for _ in 0..2 {
        let bind = rig.work(rig.copy)?.writes(&bo);
        fails("VM_BIND", Errno::NOSYS, of_library(bind))?;
    }
    let sum = rgt::checksum::of_fill(0x0666, MIB / 4);
    same("sum", map.checksum(0..map.len()), sum)?;
    drop(bo);
    before.wait_until_back()?;
    // The client's other BOs work.
    let own = rig.vram(MIB)?;
    rig.fill(&own, 7)?;
    let sum = rgt::checksum::of_fill(7, MIB / 4);
    same("sum of another BO", rig.checksum(&own)?, sum)
}

fn the_cpu_reaches_its_by_our_handle() -> Outcome {
    let rig = Rig::new()?;
    let qxl = qxl()?;
    let words = noise(23, MIB as usize / 4);
    let sum = rgt::checksum::of_dwords(&words);
    let theirs = qxl.dumb(MIB)?;
    let buf = theirs.export()?;
    buf.map()?.write_slice(0, &words);
    let bo = Bo::import(&rig.device, &buf)?;
    let map = bo.map()?;
    same("by our handle", map.checksum(0..map.len()), sum)?;
    map.write(0, !words[0]);
    same("by theirs", theirs.map()?.read(0), !words[0])?;
    map.write(0, words[0]);
    // The buffer lives as long as it has a user.
    drop((theirs, buf));
    same("after they closed it", map.checksum(0..map.len()), sum)
}

fn its_own_come_home() -> Outcome {
    let rig = Rig::new()?;
    let qxl = qxl()?;
    let theirs = qxl.dumb(MIB)?;
    let buf = theirs.export()?;
    let bo = Bo::import(&rig.device, &buf)?;
    let again: DmaBuf = bo.export()?.into();
    let inode = |buf: &DmaBuf| fstat(buf.as_fd()).map(|stat| stat.st_ino);
    same("inode", inode(&again)?, inode(&buf)?)?;
    let home = qxl.import(&again).context("its own buffer")?;
    same("handle", home.handle(), theirs.handle())
}
