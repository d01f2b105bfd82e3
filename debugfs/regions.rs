// SPDX-License-Identifier: GPL-2.0

//! `regions`: the memory regions with their use and fragmentation.

use kernel::{
    drm::Registered,
    prelude::*,
    seq_file::{
        seq_print,
        SeqFile, //
    }, //
};

use crate::{
    device::{
        RgtDevice,
        RgtDriver, //
    },
    resource_mgr::{
        region_name,
        Fragmentation,
        SCRATCHPAD, //
    },
    rust::drm::{
        debugfs::File,
        ttm::MemType, //
    }, //
};

/// The file.
pub(super) struct Regions;

impl File for Regions {
    type Driver = RgtDriver;

    const NAME: &'static CStr = c"regions";

    fn show(dev: &RgtDevice<Registered>, out: &SeqFile) -> Result {
        for region in dev.managers.usage(dev.ttm().system_usage()) {
            let mem_type = region.mem_type;
            seq_print!(
                out,
                "region={} size={} used={} visible_size={} visible_used={} eviction_fences={}",
                region_name(mem_type).to_str()?,
                region.size,
                region.used,
                region.cpu_visible_size,
                region.cpu_visible_used,
                dev.ttm().eviction_fences(mem_type)
            );
            if let Some(fragmentation) = fragmentation(dev, mem_type)? {
                show(&fragmentation, out);
            }
            seq_print!(out, "\n");
        }
        Ok(())
    }
}

/// Returns the fragmentation of a region, if it has any.
fn fragmentation(dev: &RgtDevice, mem_type: MemType) -> Result<Option<Fragmentation>> {
    match (mem_type, &dev.managers.scratchpad) {
        (MemType::VRAM, _) => dev.managers.vram.inner().fragmentation().map(Some),
        (SCRATCHPAD, Some(scratchpad)) => scratchpad.inner().fragmentation().map(Some),
        _ => Ok(None),
    }
}

fn show(fragmentation: &Fragmentation, out: &SeqFile) {
    seq_print!(
        out,
        " free={} cleared={} largest_free={} free_blocks=",
        fragmentation.free,
        fragmentation.cleared,
        fragmentation.largest()
    );
    let mut separator = "";
    for (order, count) in fragmentation.free_blocks.iter().enumerate() {
        if *count != 0 {
            seq_print!(out, "{separator}{order}:{count}");
            separator = ",";
        }
    }
}
