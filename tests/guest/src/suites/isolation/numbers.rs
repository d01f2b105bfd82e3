// SPDX-License-Identifier: GPL-2.0

//! Numbers and handles of one client are nothing to another, and there are no names for all.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use rgt::{Bo, Context as GpuContext, Device, Mapping, Priority, uapi};
use rustix::io::Errno;
use rustix::ioctl::{Updater, ioctl, opcode};

use super::{CHUNK, OWN};
use crate::expect::{fails, refused_with, same};
use crate::harness::{Outcome, Test, tests};
use crate::rig::{PAGE, Rig};

pub(super) const TESTS: &[Test] = tests![
    names_are_refused,
    a_primary_node_has_no_display,
    numbers_of_others_are_unknown,
    offsets_of_others_are_refused,
    a_private_bo_stays_private,
];

#[repr(C)]
#[derive(Default)]
struct Flink {
    handle: u32,
    name: u32,
}

#[repr(C)]
#[derive(Default)]
struct Open {
    name: u32,
    handle: u32,
    size: u64,
}

/// `struct drm_mode_fb_cmd`.
#[repr(C)]
#[derive(Default)]
struct Framebuffer([u32; 7]);

/// The primary node of the device.
fn primary() -> Result<Device> {
    let render = Device::open()?.path().to_owned();
    let name = render.file_name().context("a node has a name")?;
    let nodes: PathBuf = ["/sys/class/drm".as_ref(), name, "device/drm".as_ref()]
        .iter()
        .collect();
    let card = fs::read_dir(nodes)?
        .flatten()
        .map(|entry| entry.file_name())
        .find(|name| name.to_string_lossy().starts_with("card"))
        .context("no primary node")?;
    Ok(Device::open_path(PathBuf::from("/dev/dri").join(card))?)
}

fn names_are_refused() -> Outcome {
    let (here, there) = (primary()?, primary()?);
    let rig = Rig::on(&here)?;
    let private = Bo::builder(PAGE).private(&rig.vm).create(&here)?;
    for bo in [&private, &rig.gtt(PAGE)?] {
        let mut request = Flink {
            handle: bo.handle(),
            name: 0,
        };
        // SAFETY: The number and the structure are those of drm/drm.h.
        let done = unsafe {
            ioctl(
                &here,
                Updater::<{ opcode::read_write::<Flink>(b'd', 0x0a) }, _>::new(&mut request),
            )
        };
        same("FLINK", done, Err(Errno::OPNOTSUPP))?;
        same("the name", request.name, 0)?;
    }
    for name in 0..3 {
        let mut request = Open {
            name,
            ..Default::default()
        };
        // SAFETY: As above.
        let done = unsafe {
            ioctl(
                &there,
                Updater::<{ opcode::read_write::<Open>(b'd', 0x0b) }, _>::new(&mut request),
            )
        };
        same("OPEN", done, Err(Errno::OPNOTSUPP))?;
    }
    // As on the render node.
    let bo = rig.gtt(CHUNK)?;
    rig.fill(&bo, OWN)
}

fn a_primary_node_has_no_display() -> Outcome {
    let mut request = Framebuffer::default();
    // SAFETY: The number and the structure are those of drm/drm_mode.h.
    let done = unsafe {
        ioctl(
            &primary()?,
            Updater::<{ opcode::read_write::<Framebuffer>(b'd', 0xad) }, _>::new(&mut request),
        )
    };
    same("GETFB", done, Err(Errno::OPNOTSUPP))
}

fn numbers_of_others_are_unknown() -> Outcome {
    let (rig, other) = (Rig::new()?, Device::open()?);
    let bo = rig.gtt(PAGE)?;
    let context = GpuContext::create(&rig.device, Priority::Normal)?;
    let (vm_id, handle) = (rig.vm.id(), bo.handle());
    refused_with(
        &other,
        Errno::NOENT,
        uapi::drm_rgt_vm_destroy { vm_id, pad: 0 },
    )?;
    refused_with(
        &other,
        Errno::NOENT,
        uapi::drm_rgt_gem_create {
            size: PAGE,
            placement: uapi::DRM_RGT_PLACEMENT_GTT,
            vm_id,
            ..Default::default()
        },
    )?;
    refused_with(
        &other,
        Errno::NOENT,
        uapi::drm_rgt_ctx_destroy {
            ctx_id: context.id(),
            pad: 0,
        },
    )?;
    refused_with(
        &other,
        Errno::NOENT,
        uapi::drm_rgt_gem_info {
            handle,
            ..Default::default()
        },
    )?;
    refused_with(
        &other,
        Errno::NOENT,
        uapi::drm_rgt_gem_mmap_offset {
            handle,
            ..Default::default()
        },
    )?;
    refused_with(&other, Errno::INVAL, uapi::drm_gem_close { handle, pad: 0 })?;
    let mut work = rig.work(rig.copy)?;
    work.context(&context);
    let to = work.writes(&bo)?;
    work.commands.fill(to, PAGE, OWN)?;
    work.run()?;
    same("a word", bo.map()?.read(0), OWN)
}

fn offsets_of_others_are_refused() -> Outcome {
    let (rig, other) = (Rig::new()?, Device::open()?);
    let bo = rig.gtt(PAGE)?;
    let offset = bo.mmap_offset()?;
    let map = || Mapping::new(&other, offset, PAGE as usize);
    fails("mmap() without a handle", Errno::ACCESS, map())?;
    // With one of its own it may, until that is closed.
    let mine = Bo::import(&other, bo.export()?)?;
    drop(map()?);
    drop(mine);
    fails("mmap() after the handle", Errno::ACCESS, map())
}

fn a_private_bo_stays_private() -> Outcome {
    let rig = Rig::new()?;
    let bo = Bo::builder(PAGE).private(&rig.vm).create(&rig.device)?;
    fails("export", Errno::PERM, bo.export())?;
    // Another VM of the same client is another address space.
    let other = rig.sibling()?;
    fails("bind", Errno::INVAL, other.vm.map(&bo))
}
