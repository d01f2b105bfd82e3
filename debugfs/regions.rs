// SPDX-License-Identifier: GPL-2.0

//! `regions`: the memory regions, how full they are and in how many pieces.

use crate::{
    driver::{
        RgtDevice,
        RgtDriver, //
    },
    ioctl::query::regions,
    resource_mgr::region_name,
    rust::drm::{
        debugfs::File,
        ttm::MemType, //
    }, //
};
use kernel::{
    drm::Registered,
    prelude::*,
    seq_file::{
        seq_print,
        SeqFile, //
    }, //
};

/// The file.
pub(super) struct Regions;

impl File for Regions {
    type Driver = RgtDriver;

    const NAME: &'static CStr = c"regions";

    fn show(dev: &RgtDevice<Registered>, out: &SeqFile) -> Result {
        for region in regions(dev)? {
            let mem_type = MemType::new(region.region).ok_or(EINVAL)?;
            seq_print!(
                out,
                "region={} size={} used={} visible_size={} visible_used={} eviction_fences={}\n",
                region_name(mem_type).to_str()?,
                region.size,
                region.used,
                region.visible_size,
                region.visible_used,
                dev.ttm.eviction_fences(mem_type)
            );
        }
        Ok(())
    }
}
