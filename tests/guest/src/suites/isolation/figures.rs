// SPDX-License-Identifier: GPL-2.0

//! Figures that show what others do, which take a capability to see.

use std::mem::offset_of;
use std::time::Duration;

use anyhow::{Context, ensure};
use rgt::{Device, RegionKind, uapi};

use crate::expect::same;
use crate::harness::{End, Outcome, Test, in_child, tests};
use crate::rig::{MIB, Rig};

pub(super) const TESTS: &[Test] = tests![a_user_sees_none, a_monitor_sees_all];

/// The user `nobody`, who has no capabilities.
const NOBODY: libc::uid_t = 65534;
/// The bit of a capability in the second word of a set.
const CAP_PERFMON: u32 = 1 << (38 - 32);
/// Of `capset()`.
const VERSION_3: u32 = 0x2008_0522;

/// Returns the sums of a figure over the entries of a list, without allocating memory.
fn sum(device: &Device, query: u32, offset: usize) -> Option<u64> {
    let mut answer = [0; 1024];
    let size = device.query_into(query, &mut answer).ok()? as usize;
    let word = |at: usize| Some(u32::from_ne_bytes(answer.get(at..at + 4)?.try_into().ok()?));
    let (count, stride) = (word(0)? as usize, word(4)? as usize);
    if size > answer.len() {
        return None;
    }
    (0..count).try_fold(0, |sum, index| {
        let at = size_of::<uapi::drm_rgt_query_list>() + index * stride + offset;
        let bytes = answer.get(at..at + 8)?.try_into().ok()?;
        Some(sum + u64::from_ne_bytes(bytes))
    })
}

/// Bytes in use, those of them that the CPU sees, and time that engines were busy.
fn figures(device: &Device) -> Option<[u64; 3]> {
    let regions = |offset| sum(device, uapi::DRM_RGT_QUERY_REGIONS, offset);
    Some([
        regions(offset_of!(uapi::drm_rgt_region, used))?,
        regions(offset_of!(uapi::drm_rgt_region, cpu_visible_used))?,
        sum(
            device,
            uapi::DRM_RGT_QUERY_ENGINES,
            offset_of!(uapi::drm_rgt_engine, busy_ns),
        )?,
    ])
}

/// Calls `f` with the device while all of its figures are above 0.
fn while_used(f: impl FnOnce(&Device) -> Outcome) -> Outcome {
    let rig = Rig::new()?;
    let bo = rig.visible(MIB)?;
    bo.map()?.write(0, 1);
    rig.fill(&bo, 1)?;
    f(&rig.device)
}

fn a_user_sees_none() -> Outcome {
    while_used(|device| {
        let vram = device.region(RegionKind::Vram)?.context("there is VRAM")?;
        ensure!(vram.used >= MIB && vram.cpu_visible_used >= MIB, "{vram:?}");
        let engine = device.engines()[0];
        device.busy(engine)?;
        let size = offset_of!(uapi::drm_rgt_region, size);
        let sizes = sum(device, uapi::DRM_RGT_QUERY_REGIONS, size).context("the sizes")?;
        let end = in_child(|| {
            // SAFETY: A system call about this process, which ends right after.
            if unsafe { libc::setuid(NOBODY) } != 0 {
                return 1;
            }
            if figures(device) != Some([0; 3]) {
                return 2;
            }
            if sum(device, uapi::DRM_RGT_QUERY_REGIONS, size) != Some(sizes) {
                return 3;
            }
            0
        })?;
        same("the end of a user", end, End::Exit(0))
    })
}

fn a_monitor_sees_all() -> Outcome {
    while_used(|device| {
        let busy: Duration = device
            .engines()
            .iter()
            .map(|engine| device.busy(*engine))
            .sum::<rgt::Result<_>>()?;
        ensure!(!busy.is_zero(), "no engine was busy");
        let end = in_child(|| {
            // Version and process, this one; and effective, permitted, inheritable of both words.
            let header = [VERSION_3, 0];
            let sets = [0, 0, 0, CAP_PERFMON, CAP_PERFMON, 0];
            // SAFETY: System calls about this process, which ends right after.
            let failed = unsafe {
                libc::prctl(libc::PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0
                    || libc::setuid(NOBODY) != 0
                    || libc::syscall(libc::SYS_capset, header.as_ptr(), sets.as_ptr()) != 0
            };
            if failed {
                return 1;
            }
            let seen = figures(device);
            u8::from(!seen.is_some_and(|figures| figures.iter().all(|figure| *figure != 0))) * 2
        })?;
        same("the end of a monitor", end, End::Exit(0))
    })
}
