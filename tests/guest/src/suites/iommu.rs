// SPDX-License-Identifier: GPL-2.0

//! A machine with an IOMMU: each page that the GPU may reach is mapped by the kernel, and taken
//! again.

use std::fs;

use anyhow::{Context, Result, ensure};

use crate::expect::same;
use crate::harness::{Need, Outcome, Suite, Tag, tests};
use crate::rig::{MIB, Rig};

pub(super) const SUITE: Suite = Suite {
    name: "iommu-pages",
    needs: &[Need::Iommu],
    tags: &[Tag::Memory],
    tests: &[tests![
        it_translates_for_the_gpu,
        thousands_of_pages_are_mapped
    ]],
};

fn it_translates_for_the_gpu() -> Outcome {
    let rig = Rig::new()?;
    let node = rig.device.path().file_name().context("a node")?;
    let node = node.to_string_lossy();
    let path = format!("/sys/class/drm/{node}/device/iommu_group/type");
    let kind = fs::read_to_string(&path).context(path)?;
    ensure!(kind.starts_with("DMA"), "its domain is {kind:?}");
    Ok(())
}

/// More at once than the device process may have descriptors, by far, and then others in their
/// place.
fn thousands_of_pages_are_mapped() -> Outcome {
    let rig = Rig::new()?;
    for round in 0..2 {
        let bos = (0..24)
            .map(|number| {
                let bo = rig.gtt(MIB)?;
                rig.fill(&bo, round << 16 | number)?;
                Ok((number, bo))
            })
            .collect::<Result<Vec<_>>>()?;
        for (number, bo) in &bos {
            let sum = rgt::checksum::of_fill(round << 16 | number, MIB / 4);
            same("sum", rig.checksum(bo)?, sum)?;
        }
    }
    Ok(())
}
