// SPDX-License-Identifier: GPL-2.0

//! Buffers of others, used by our GPU.

use std::os::fd::AsFd as _;

use anyhow::Result;
use rgt::{Bo, Placement};
use rustix::io::Errno;

use crate::expect::{each, fails, same};
use crate::harness::{Outcome, Test, tests};
use crate::peer::{Cpu, DmaBuf, Heap, Vgem, udmabuf};
use crate::rig::{MIB, Pressure, Rig, noise};

pub(super) const TESTS: &[Test] = tests![
    the_gpu_writes_what_others_read,
    the_gpu_reads_what_others_wrote,
    it_is_mapped_as_its_exporter_does,
    it_is_no_memory_of_ours,
    it_gives_the_same_dma_buf_again,
    two_clients_import_the_same,
    it_works_with_much_else,
    it_has_no_place_of_its_own_to_be_purged_from,
];

/// Makes a buffer of a size.
pub(super) type Make = fn(u64) -> Result<DmaBuf>;

/// Who makes buffers.
pub(super) const EXPORTERS: [(&str, Make); 3] = [
    ("system heap", |size| Heap::system()?.allocate(size)),
    ("udmabuf", udmabuf),
    ("vgem", |size| Vgem::open()?.dumb(size)?.export()),
];

fn the_gpu_writes_what_others_read() -> Outcome {
    let rig = Rig::new()?;
    each(EXPORTERS, |make| {
        let buf = make(MIB)?;
        let bo = Bo::import(&rig.device, &buf)?;
        same("size", bo.size(), MIB)?;
        rig.fill(&bo, 0x0dd_ba11)?;
        let sum = buf.access(Cpu::Reads, |map| map.checksum(0..map.len()))?;
        same("sum", sum, rgt::checksum::of_fill(0x0dd_ba11, MIB / 4))
    })
}

fn the_gpu_reads_what_others_wrote() -> Outcome {
    let rig = Rig::new()?;
    let words = noise(11, 3 * MIB as usize / 4);
    let sum = rgt::checksum::of_dwords(&words);
    each(EXPORTERS, |make| {
        let buf = make(3 * MIB)?;
        buf.access(Cpu::Writes, |map| map.write_slice(0, &words))?;
        let bo = Bo::import(&rig.device, &buf)?;
        same("sum", rig.checksum(&bo)?, sum)?;
        // Into VRAM and back into another one.
        let own = rig.vram(3 * MIB)?;
        rig.copy(&bo, &own)?;
        same("sum of a copy", rig.checksum(&own)?, sum)?;
        let other = make(3 * MIB)?;
        rig.copy(&own, &Bo::import(&rig.device, &other)?)?;
        let got = other.access(Cpu::Reads, |map| map.checksum(0..map.len()))?;
        same("sum of the way back", got, sum)
    })
}

fn it_is_mapped_as_its_exporter_does() -> Outcome {
    let rig = Rig::new()?;
    each(EXPORTERS, |make| {
        let buf = make(MIB)?;
        let bo = Bo::import(&rig.device, &buf)?;
        let map = bo.map()?;
        map.fill(0..map.len(), 0x77);
        let theirs = buf.access(Cpu::Reads, |map| map.read(MIB as usize - 4))?;
        same("by the exporter", theirs, 0x77)?;
        let sum = rgt::checksum::of_fill(0x77, MIB / 4);
        same("sum", rig.checksum(&bo)?, sum)
    })
}

fn it_is_no_memory_of_ours() -> Outcome {
    let rig = Rig::new()?;
    each(EXPORTERS, |make| {
        let bo = Bo::import(&rig.device, make(MIB)?)?;
        let info = bo.info()?;
        same("placement", info.placement, Placement::GTT)?;
        same("place before its use", info.current_placement.bits(), 0)?;
        rig.fill(&bo, 1)?;
        same("place", bo.info()?.current_placement, Placement::GTT)
    })
}

fn it_gives_the_same_dma_buf_again() -> Outcome {
    let rig = Rig::new()?;
    each(EXPORTERS, |make| {
        let buf = make(MIB)?;
        let bo = Bo::import(&rig.device, &buf)?;
        let again = bo.export()?;
        let inode = |fd: std::os::fd::BorrowedFd<'_>| rustix::fs::fstat(fd).map(|stat| stat.st_ino);
        same("inode", inode(again.as_fd())?, inode(buf.as_fd())?)?;
        let handle = Bo::import(&rig.device, &again)?.handle();
        same("handle", handle, bo.handle())
    })
}

fn two_clients_import_the_same() -> Outcome {
    let (one, two) = (Rig::new()?, Rig::new()?);
    each(EXPORTERS, |make| {
        let buf = make(MIB)?;
        let first = Bo::import(&one.device, &buf)?;
        let second = Bo::import(&two.device, &buf)?;
        one.fill(&first, 0x55)?;
        let sum = rgt::checksum::of_fill(0x55, MIB / 4);
        same("sum", two.checksum(&second)?, sum)
    })
}

fn it_works_with_much_else() -> Outcome {
    let rig = Rig::new()?;
    each(EXPORTERS, |make| {
        let bo = Bo::import(&rig.device, make(MIB)?)?;
        let pressure = Pressure::on(&rig.device)?;
        for round in 1..4 {
            rig.fill(&bo, round)?;
            pressure.round()?;
            let sum = rgt::checksum::of_fill(round, MIB / 4);
            same("sum", rig.checksum(&bo)?, sum)?;
        }
        Ok(())
    })
}

fn it_has_no_place_of_its_own_to_be_purged_from() -> Outcome {
    let rig = Rig::new()?;
    let bo = Bo::import(&rig.device, Heap::system()?.allocate(MIB)?)?;
    fails("GEM_MADVISE", Errno::BUSY, bo.dont_need())
}
