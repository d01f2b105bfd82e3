// SPDX-License-Identifier: GPL-2.0

//! GEM_CREATE: valid and bad arguments.

use anyhow::ensure;
use rgt::uapi::*;
use rgt::{Bo, BoFlags, Device, Placement, RegionKind, ioctl};
use rustix::io::Errno;

use super::EVERY_KIND;
use crate::arguments::{Row, refused, undefined_flags};
use crate::expect::{each, fails, fails_any, of_library, raw, same};
use crate::harness::{End, Outcome, Test, in_child, tests};
use crate::rig::{MIB, PAGE, Rig, meminfo};

pub(super) const TESTS: &[Test] = tests![
    create_in_each_region,
    sizes_are_rounded_up,
    bad_arguments,
    bad_alignments,
    good_alignments,
    absurd_sizes,
    sizes_of_all_are_bounded,
    sizes_up_to_the_largest,
    high_priority_needs_a_capability,
    larger_than_vram,
    contiguous
];

fn good() -> drm_rgt_gem_create {
    drm_rgt_gem_create {
        size: PAGE,
        placement: DRM_RGT_PLACEMENT_GTT,
        ..Default::default()
    }
}

fn create_in_each_region() -> Outcome {
    let rig = Rig::new()?;
    let mut handles = Vec::new();
    each(EVERY_KIND, |make| {
        let bo = rig.bo(MIB, make)?;
        ensure!(bo.handle() != 0, "handle 0");
        ensure!(
            !handles.contains(&bo.handle()),
            "handle {} twice",
            bo.handle()
        );
        handles.push(bo.handle());
        // Kept open, so that the next one cannot have its handle.
        std::mem::forget(bo);
        Ok(())
    })?;
    for handle in handles {
        raw(&rig.device, drm_gem_close { handle, pad: 0 })?;
    }
    Ok(())
}

fn sizes_are_rounded_up() -> Outcome {
    let rig = Rig::new()?;
    for (asked, given) in [
        (1, PAGE),
        (PAGE - 1, PAGE),
        (PAGE, PAGE),
        (PAGE + 1, 2 * PAGE),
    ] {
        let bo = rig.gtt(asked)?;
        same("size", bo.size(), given)?;
        same("size by GEM_INFO", bo.info()?.size, given)?;
    }
    Ok(())
}

fn bad_arguments() -> Outcome {
    let device = Device::open()?;
    let extension = drm_rgt_extension::default();
    let made = refused(
        &device,
        good(),
        &[
            ("size 0", &|it| it.size = 0, Errno::INVAL),
            ("placement 0", &|it| it.placement = 0, Errno::INVAL),
            (
                "a preferred placement that is not allowed",
                &|it| it.preferred = DRM_RGT_PLACEMENT_VRAM | DRM_RGT_PLACEMENT_GTT,
                Errno::INVAL,
            ),
            ("priority 3", &|it| it.priority = 3, Errno::INVAL),
            ("priority -1", &|it| it.priority = u32::MAX, Errno::INVAL),
            ("caching 2", &|it| it.caching = 2, Errno::INVAL),
            ("caching -1", &|it| it.caching = u32::MAX, Errno::INVAL),
            ("extensions", &|it| it.extensions = 4096, Errno::INVAL),
            (
                "an extension of no name",
                &|it| it.extensions = &raw const extension as u64,
                Errno::INVAL,
            ),
            ("VM 1", &|it| it.vm_id = 1, Errno::NOENT),
            ("VM -1", &|it| it.vm_id = u32::MAX, Errno::NOENT),
            (
                "a bad flag of an unknown VM",
                &|it| (it.vm_id, it.flags) = (77, 1 << 9),
                Errno::INVAL,
            ),
            (
                "CPU access and none",
                &|it| {
                    it.placement = DRM_RGT_PLACEMENT_VRAM;
                    it.flags = DRM_RGT_GEM_CPU_ACCESS | DRM_RGT_GEM_NO_CPU_ACCESS;
                },
                Errno::INVAL,
            ),
        ],
    )?;
    ensure!(made.handle != 0, "handle 0");
    undefined_flags(&device, good(), 0b111, |it, flag| it.flags = flag)?;
    undefined_flags(&device, good(), 0b1111, |it, bit| it.placement = bit)?;
    undefined_flags(&device, good(), 0b0010, |it, bit| it.preferred = bit)?;
    undefined_flags(&device, good(), 0b1111, |it, bit| it.placement |= bit)
}

fn bad_alignments() -> Outcome {
    let device = Device::open()?;
    let vram = drm_rgt_gem_create {
        placement: DRM_RGT_PLACEMENT_VRAM,
        ..good()
    };
    for alignment in [1, 3, 512, 2048, 4097, 3 * 4096, 4 << 20, 1 << 31, u32::MAX] {
        let name = format!("alignment {alignment}");
        let row: Row<'_, drm_rgt_gem_create> =
            (&name, &|it| it.alignment = alignment, Errno::INVAL);
        refused(&device, vram, &[row])?;
    }
    Ok(())
}

fn good_alignments() -> Outcome {
    let rig = Rig::new()?;
    for shift in 12..=21 {
        let bo = Bo::builder(PAGE)
            .placement(Placement::VRAM)
            .alignment(1 << shift);
        let bo = bo.create(&rig.device)?;
        rig.fill(&bo, shift)?;
        same("content", bo.map()?.read(0), shift)?;
    }
    Ok(())
}

/// A BO takes memory of the kernel before it has any of its own.
fn sizes_of_all_are_bounded() -> Outcome {
    let device = Device::open()?;
    let size = device.info().max_bo_bytes;
    let vram = device.region(RegionKind::Vram)?.map_or(0, |it| it.size);
    let most = 5 * (meminfo("MemTotal")? + vram) / size;
    let create = || {
        Bo::builder(size)
            .placement(Placement::VRAM | Placement::GTT)
            .create(&device)
    };
    let mut bos = vec![];
    let refused = loop {
        match create() {
            Ok(bo) => bos.push(bo),
            Err(error) => break error,
        }
        ensure!(bos.len() as u64 <= most, "created {most}");
    };
    fails("too many", Errno::NOMEM, Err::<(), _>(refused))?;
    ensure!(bos.len() as u64 >= most / 2, "created {}", bos.len());
    bos.pop();
    create()?;
    drop(bos);
    create()?;
    Ok(())
}

fn absurd_sizes() -> Outcome {
    const NO_ROOM: &[Errno] = &[Errno::INVAL, Errno::NOMEM, Errno::NOSPC];
    let device = Device::open()?;
    for placement in 1..8 {
        for size in [u64::MAX, u64::MAX - 4094] {
            let request = drm_rgt_gem_create {
                size,
                placement,
                ..good()
            };
            fails("a size that overflows", Errno::INVAL, raw(&device, request))?;
        }
        for size in [u64::MAX - 4095, 1 << 63, 1 << 62, 1 << 52, 1 << 48] {
            let request = drm_rgt_gem_create {
                size,
                placement,
                ..good()
            };
            fails_any("an absurd size", NO_ROOM, raw(&device, request))?;
        }
    }
    Ok(())
}

fn sizes_up_to_the_largest() -> Outcome {
    let device = Device::open()?;
    let max = device.info().max_bo_bytes;
    let anywhere = Placement::VRAM | Placement::GTT | Placement::SYSTEM;
    let bo = Bo::builder(max).placement(anywhere).create(&device)?;
    same("its size", bo.info()?.size, bo.size())?;
    let more = Bo::builder(max + PAGE).placement(anywhere).create(&device);
    fails("a page more", Errno::NOSPC, more)
}

fn high_priority_needs_a_capability() -> Outcome {
    /// The user `nobody`, who has no capabilities.
    const NOBODY: libc::uid_t = 65534;
    let device = Device::open()?;
    let create = |priority| {
        let mut request = drm_rgt_gem_create { priority, ..good() };
        ioctl::call(&device, &mut request).err()
    };
    same("by root", create(DRM_RGT_GEM_PRIORITY_HIGH), None)?;
    let end = in_child(|| {
        // SAFETY: A system call about this process, which ends right after.
        if unsafe { libc::setuid(NOBODY) } != 0 {
            return 1;
        }
        if create(DRM_RGT_GEM_PRIORITY_HIGH) != Some(Errno::ACCESS) {
            return 2;
        }
        let others = [DRM_RGT_GEM_PRIORITY_NORMAL, DRM_RGT_GEM_PRIORITY_LOW];
        if others.iter().any(|priority| create(*priority).is_some()) {
            return 3;
        }
        0
    })?;
    same("the end of one without it", end, End::Exit(0))
}

fn larger_than_vram() -> Outcome {
    const NO_ROOM: &[Errno] = &[Errno::NOMEM, Errno::NOSPC];
    let rig = Rig::new()?;
    let vram = rig.device.region(RegionKind::Vram)?.expect("there is VRAM");
    let bo = match rig.vram(vram.size + MIB) {
        Ok(bo) => bo,
        Err(error) => {
            return fails_any("creating it", NO_ROOM, of_library(Err::<(), _>(error)));
        }
    };
    let mut work = rig.work(rig.copy)?;
    let used = work.writes(&bo).and_then(|to| {
        work.commands.fill(to, PAGE, 1)?;
        work.submit()
    });
    fails_any("using it", NO_ROOM, of_library(used))?;
    drop(work);
    rig.fill(&rig.vram(PAGE)?, 1)
}

fn contiguous() -> Outcome {
    let rig = Rig::new()?;
    let bo = rig.bo(3 * MIB, |bo| {
        bo.placement(Placement::VRAM)
            .flags(BoFlags::CONTIGUOUS | BoFlags::CPU_ACCESS)
    })?;
    rig.fill(&bo, 0x0123_4567)?;
    let map = bo.map()?;
    let pages = (0..map.len()).step_by(PAGE as usize);
    ensure!(
        pages
            .into_iter()
            .all(|offset| map.read(offset) == 0x0123_4567)
    );
    Ok(())
}
