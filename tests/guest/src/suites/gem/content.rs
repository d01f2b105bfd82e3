// SPDX-License-Identifier: GPL-2.0

//! A BO's content and place, and GEM_INFO.

use anyhow::ensure;
use rgt::uapi::*;
use rgt::{Bo, Placement, Vm};
use rustix::io::Errno;

use super::EVERY_KIND;
use crate::arguments::refused;
use crate::expect::{each, fails, raw, same};
use crate::harness::{Outcome, Test, tests};
use crate::rig::{HIDDEN, PAGE, Rig, SHARED, SYSTEM};

pub(super) const TESTS: &[Test] = tests![
    content_is_zero,
    info_tells_what_was_asked,
    bad_arguments_of_info,
    backing_comes_with_the_first_use,
    private_to_a_vm
];

fn content_is_zero() -> Outcome {
    const SIZE: u64 = 512 << 10;
    let rig = Rig::new()?;
    each(SHARED, |make| {
        let bo = rig.bo(SIZE, make)?;
        let map = bo.map()?;
        same("sum by the CPU", map.checksum(0..SIZE as usize), 0)?;
        same("sum by the GPU", rig.checksum(&bo)?, 0)?;
        let unseen = rig.bo(SIZE, make)?;
        same("sum by the GPU, before the CPU", rig.checksum(&unseen)?, 0)
    })?;
    let hidden = rig.bo(SIZE, HIDDEN)?;
    same("sum of hidden VRAM", rig.checksum(&hidden)?, 0)?;
    let system = rig.bo(SIZE, SYSTEM)?;
    same(
        "sum of system memory",
        system.map()?.checksum(0..SIZE as usize),
        0,
    )
}

fn info_tells_what_was_asked() -> Outcome {
    let rig = Rig::new()?;
    let created = drm_rgt_gem_create {
        size: 3 * PAGE,
        placement: DRM_RGT_PLACEMENT_VRAM | DRM_RGT_PLACEMENT_GTT,
        flags: DRM_RGT_GEM_CONTIGUOUS | DRM_RGT_GEM_CPU_ACCESS,
        caching: DRM_RGT_CACHING_WC,
        alignment: 65536,
        preferred: DRM_RGT_PLACEMENT_GTT,
        priority: DRM_RGT_GEM_PRIORITY_HIGH,
        vm_id: rig.vm.id(),
        ..Default::default()
    };
    let handle = raw(&rig.device, created)?.handle;
    let info = raw(
        &rig.device,
        drm_rgt_gem_info {
            handle,
            ..Default::default()
        },
    )?;
    let expected = drm_rgt_gem_info {
        handle,
        size: created.size,
        placement: created.placement,
        flags: created.flags,
        caching: created.caching,
        alignment: created.alignment,
        preferred: created.preferred,
        priority: created.priority,
        vm_id: created.vm_id,
        ..Default::default()
    };
    same("GEM_INFO", info, expected)?;
    raw(&rig.device, drm_gem_close { handle, pad: 0 })?;
    Ok(())
}

fn bad_arguments_of_info() -> Outcome {
    let rig = Rig::new()?;
    let bo = rig.gtt(PAGE)?;
    let good = drm_rgt_gem_info {
        handle: bo.handle(),
        ..Default::default()
    };
    let info = refused(
        &rig.device,
        good,
        &[
            ("pad", &|it| it.pad = 1, Errno::INVAL),
            ("extensions", &|it| it.extensions = 8, Errno::INVAL),
            ("handle 0", &|it| it.handle = 0, Errno::NOENT),
            ("an unknown handle", &|it| it.handle += 1000, Errno::NOENT),
        ],
    )?;
    same("size", info.size, PAGE)
}

fn backing_comes_with_the_first_use() -> Outcome {
    let rig = Rig::new()?;
    each(EVERY_KIND, |make| {
        let bo = rig.bo(PAGE, make)?;
        let info = bo.info()?;
        same(
            "placement before use",
            info.current_placement,
            Placement::empty(),
        )?;
        if info.placement == Placement::SYSTEM {
            bo.map()?.write(0, 1);
        } else {
            rig.fill(&bo, 1)?;
        }
        let now = bo.info()?.current_placement;
        same("regions that it is in", now.bits().count_ones(), 1)?;
        ensure!(
            info.placement.contains(now),
            "asked for {:?}, is in {now:?}",
            info.placement
        );
        Ok(())
    })
}

fn private_to_a_vm() -> Outcome {
    let rig = Rig::new()?;
    let other = Vm::create(&rig.device)?;
    let bo = Bo::builder(PAGE)
        .placement(Placement::VRAM)
        .private(&rig.vm)
        .create(&rig.device)?;
    same("VM by GEM_INFO", bo.info()?.vm_id, rig.vm.id())?;
    fails(
        "binding it elsewhere",
        Errno::INVAL,
        other.map(&bo).map(drop),
    )?;
    // Every job of its VM may use it, without naming it.
    let at = rig.vm.map(&bo)?;
    let mut work = rig.work(rig.copy)?;
    work.commands.fill(at.addr(), PAGE, 5)?;
    work.run()?;
    same("content", bo.map()?.read(8), 5)
}
