// SPDX-License-Identifier: GPL-2.0

//! A machine on which devices see copies of pages, which cannot be shared.

use rgt::Bo;
use rustix::io::Errno;

use crate::expect::{each, fails, same};
use crate::harness::{Need, Outcome, Suite, Tag, tests};
use crate::peer::{Cpu, DmaBuf};
use crate::rig::{MIB, Rig, SHARED};

use super::{identity, import};

pub(crate) const SUITE: Suite = Suite {
    name: "dmabuf-bounced",
    needs: &[Need::BounceBuffers],
    tags: &[Tag::Dmabuf],
    tests: &[
        identity::TESTS,
        tests![foreign_pages_are_refused, the_cpu_reaches_ours],
    ],
};

fn foreign_pages_are_refused() -> Outcome {
    let rig = Rig::new()?;
    each(import::EXPORTERS, |make| {
        let buf = make(MIB)?;
        let result = Bo::import(&rig.device, &buf);
        fails("import", Errno::OPNOTSUPP, result)?;
        // It is as it was.
        buf.access(Cpu::Writes, |map| map.fill(0..map.len(), 1))
    })
}

fn the_cpu_reaches_ours() -> Outcome {
    let rig = Rig::new()?;
    each(SHARED, |make| {
        let bo = rig.bo(MIB, make)?;
        rig.fill(&bo, 0x2b)?;
        let buf: DmaBuf = bo.export()?.into();
        let sum = buf.access(Cpu::Reads, |map| map.checksum(0..map.len()))?;
        same("sum", sum, rgt::checksum::of_fill(0x2b, MIB / 4))?;
        buf.access(Cpu::Writes, |map| map.fill(0..map.len(), 0x2c))?;
        let sum = rgt::checksum::of_fill(0x2c, MIB / 4);
        same("sum by the GPU", rig.checksum(&bo)?, sum)
    })
}
