// SPDX-License-Identifier: GPL-2.0

//! Handles.

use rgt::uapi::*;
use rgt::{Bo, Device};
use rustix::io::Errno;

use crate::expect::{fails, raw};
use crate::harness::{Outcome, Test, tests};
use crate::rig::PAGE;

pub(super) const TESTS: &[Test] = tests![close_twice, unknown_handles, handles_are_per_file];

fn close_twice() -> Outcome {
    let device = Device::open()?;
    let placement = DRM_RGT_PLACEMENT_GTT;
    let create = drm_rgt_gem_create {
        size: PAGE,
        placement,
        ..Default::default()
    };
    let handle = raw(&device, create)?.handle;
    raw(&device, drm_gem_close { handle, pad: 0 })?;
    fails(
        "second close",
        Errno::INVAL,
        raw(&device, drm_gem_close { handle, pad: 0 }),
    )?;
    fails(
        "close of 0",
        Errno::INVAL,
        raw(&device, drm_gem_close { handle: 0, pad: 0 }),
    )?;
    let info = drm_rgt_gem_info {
        handle,
        ..Default::default()
    };
    fails("info of a closed handle", Errno::NOENT, raw(&device, info))
}

fn unknown_handles() -> Outcome {
    let device = Device::open()?;
    for handle in [0, 1, 4711, u32::MAX] {
        let info = drm_rgt_gem_info {
            handle,
            ..Default::default()
        };
        fails("info", Errno::NOENT, raw(&device, info))?;
        let offset = drm_rgt_gem_mmap_offset {
            handle,
            ..Default::default()
        };
        fails("offset", Errno::NOENT, raw(&device, offset))?;
        let wait = drm_rgt_gem_wait {
            handle,
            ..Default::default()
        };
        fails("wait", Errno::NOENT, raw(&device, wait))?;
    }
    Ok(())
}

fn handles_are_per_file() -> Outcome {
    let (one, other) = (Device::open()?, Device::open()?);
    let bo = Bo::builder(PAGE).create(&one)?;
    let info = drm_rgt_gem_info {
        handle: bo.handle(),
        ..Default::default()
    };
    fails("another file's handle", Errno::NOENT, raw(&other, info))
}
