// SPDX-License-Identifier: GPL-2.0

//! One BO, one handle, one dma-buf.

use anyhow::{Result, ensure};
use rgt::{Bo, Device};
use rustix::fs::fstat;
use rustix::io::Errno;

use crate::expect::{fails, same};
use crate::harness::{Outcome, Test, tests};
use crate::peer::DmaBuf;
use crate::rig::{MIB, PAGE, Rig};

pub(super) const TESTS: &[Test] = tests![
    the_same_bo_has_one_handle,
    another_client_gets_the_same_memory,
    exported_twice_it_is_one_dma_buf,
    a_dma_buf_outlives_its_handle,
    private_bos_stay_at_home,
    purgeable_bos_stay_at_home,
    shared_bos_are_needed,
    what_is_no_dma_buf_is_refused,
];

fn the_same_bo_has_one_handle() -> Outcome {
    let rig = Rig::new()?;
    let bo = rig.gtt(PAGE)?;
    let fd = bo.export()?;
    let again = Bo::import(&rig.device, &fd)?;
    same("handle", again.handle(), bo.handle())?;
    let handle = bo.handle();
    drop(bo);
    // The handle is still there.
    again.info()?;
    drop(again);
    let mut request = rgt::uapi::drm_rgt_gem_info {
        handle,
        ..Default::default()
    };
    fails(
        "a closed handle",
        Errno::NOENT,
        rig.device.call(&mut request),
    )
}

fn another_client_gets_the_same_memory() -> Outcome {
    let one = Rig::new()?;
    let bo = one.vram(MIB)?;
    one.fill(&bo, 0x5ca1_ab1e)?;
    let other = Rig::new()?;
    let shared = Bo::import(&other.device, bo.export()?)?;
    same("size", shared.size(), bo.size())?;
    let sum = rgt::checksum::of_fill(0x5ca1_ab1e, MIB / 4);
    same("sum by the other", other.checksum(&shared)?, sum)?;
    other.fill(&shared, 7)?;
    let sum = rgt::checksum::of_fill(7, MIB / 4);
    same("sum by the first", one.checksum(&bo)?, sum)
}

fn inode(buf: &DmaBuf) -> Result<u64> {
    Ok(fstat(buf)?.st_ino)
}

fn exported_twice_it_is_one_dma_buf() -> Outcome {
    let rig = Rig::new()?;
    let bo = rig.gtt(PAGE)?;
    let (one, two): (DmaBuf, DmaBuf) = (bo.export()?.into(), bo.export()?.into());
    same("inode", inode(&one)?, inode(&two)?)?;
    let client = Device::open()?;
    let three: DmaBuf = Bo::import(&client, &one)?.export()?.into();
    same("inode of another client's", inode(&three)?, inode(&one)?)?;
    let other: DmaBuf = rig.gtt(PAGE)?.export()?.into();
    ensure!(inode(&other)? != inode(&one)?, "two BOs, one dma-buf");
    Ok(())
}

fn a_dma_buf_outlives_its_handle() -> Outcome {
    let rig = Rig::new()?;
    let buf: DmaBuf = {
        let bo = rig.vram(MIB)?;
        rig.fill(&bo, 3)?;
        bo.export()?.into()
    };
    let map = buf.map()?;
    same("by mmap", map.read(MIB as usize - 4), 3)?;
    let bo = Bo::import(&rig.device, &buf)?;
    drop(buf);
    same(
        "sum",
        rig.checksum(&bo)?,
        rgt::checksum::of_fill(3, MIB / 4),
    )
}

fn private_bos_stay_at_home() -> Outcome {
    let rig = Rig::new()?;
    let bo = Bo::builder(PAGE).private(&rig.vm).create(&rig.device)?;
    fails("export", Errno::PERM, bo.export())
}

fn purgeable_bos_stay_at_home() -> Outcome {
    let rig = Rig::new()?;
    let bo = rig.gtt(PAGE)?;
    rig.fill(&bo, 1)?;
    bo.dont_need()?;
    fails("export", Errno::BUSY, bo.export())?;
    bo.will_need()?;
    bo.export()?;
    Ok(())
}

fn shared_bos_are_needed() -> Outcome {
    let rig = Rig::new()?;
    let bo = rig.gtt(PAGE)?;
    let _buf = bo.export()?;
    fails("GEM_MADVISE", Errno::BUSY, bo.dont_need())
}

fn what_is_no_dma_buf_is_refused() -> Outcome {
    let rig = Rig::new()?;
    let file = std::fs::File::open("/proc/self/exe")?;
    fails("a plain file", Errno::INVAL, Bo::import(&rig.device, &file))
}
