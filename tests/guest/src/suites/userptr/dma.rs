// SPDX-License-Identifier: GPL-2.0

//! Machines on which DMA mappings are, or may be, bounce buffers: other pages than those of the process.

use std::fs;

use anyhow::{Context, Result};
use rgt::uapi::{DRM_RGT_VM_BIND_OP_USERPTR, drm_rgt_array, drm_rgt_vm_bind, drm_rgt_vm_bind_op};
use rustix::io::Errno;

use super::area::Area;
use crate::expect::same;
use crate::harness::{Outcome, Test, tests};
use crate::rig::{PAGE, Rig};
use crate::suites::observe::Log;
use crate::suites::reset::directory;

pub(super) const TESTS: &[Test] = tests![only_where_each_page_is_reached];

const LEN: usize = 4 * PAGE as usize;

/// Returns whether the GPU reaches each page of the machine, as the kernel was told, and as its addresses
/// are.
fn reaches_each_page(rig: &Rig) -> Result<bool> {
    let line = fs::read_to_string("/proc/cmdline")?;
    if line.split_whitespace().any(|word| word == "swiotlb=force") {
        return Ok(false);
    }
    let text = fs::read_to_string(directory(&rig.device)?.join("dma_mask_bits"))?;
    let bits: u32 = text.trim().parse()?;
    Ok(last_of_ram()? <= u64::MAX >> (u64::BITS - bits))
}

/// The last address of RAM.
fn last_of_ram() -> Result<u64> {
    let text = fs::read_to_string("/proc/iomem")?;
    let ends = text.lines().filter_map(|line| {
        let (_, end) = line.strip_suffix(" : System RAM")?.split_once('-')?;
        u64::from_str_radix(end, 16).ok()
    });
    ends.max().context("there is RAM")
}

/// Elsewhere there is no such feature, and the log says why.
fn only_where_each_page_is_reached() -> Outcome {
    let rig = Rig::new()?;
    let reaches = reaches_each_page(&rig)?;
    same("the feature", rig.device.info().user_memory, reaches)?;
    let area = Area::anonymous(LEN)?;
    area.number(1);
    if reaches {
        let bound = area.bind(&rig)?;
        return same("content", bound.checksum(&rig)?, area.checksum());
    }
    let range = rig.vm.reserve(LEN as u64)?;
    let op = drm_rgt_vm_bind_op {
        op: DRM_RGT_VM_BIND_OP_USERPTR,
        addr: range.addr(),
        size: LEN as u64,
        offset: area.as_ptr().addr() as u64,
        ..Default::default()
    };
    let bind = drm_rgt_vm_bind {
        vm_id: rig.vm.id(),
        ops: drm_rgt_array::of(std::slice::from_ref(&op)),
        ..Default::default()
    };
    let why = "VM_BIND: ops[0].op USERPTR: DMA mappings may be bounce buffers";
    Log::new()?.refused(&rig.device, Errno::OPNOTSUPP, why, bind)
}
