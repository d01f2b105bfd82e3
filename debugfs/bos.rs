// SPDX-License-Identifier: GPL-2.0

//! `bos`: all BOs of the device.

use kernel::{
    drm::Registered,
    prelude::*,
    seq_file::{
        seq_print,
        SeqFile, //
    },
    sync::atomic::Relaxed, //
};

use crate::{
    bo::Bo,
    device::{
        RgtDevice,
        RgtDriver, //
    },
    resource_mgr::{
        region_name,
        Vram,
        REGIONS, //
    },
    rust::drm::{
        debugfs::File,
        fdinfo::is_shared,
        ttm::Caching, //
    }, //
};

/// The file.
pub(super) struct Bos;

impl File for Bos {
    type Driver = RgtDriver;

    const NAME: &'static CStr = c"bos";

    fn show(dev: &RgtDevice<Registered>, out: &SeqFile) -> Result {
        dev.ttm().for_each_bo(|bo| show(bo, out))
    }
}

fn show(bo: &Bo, out: &SeqFile) -> Result {
    let (place, start, resident, priority, pins) = {
        let bo = bo.reserve(true)?;
        (
            bo.resource()
                .map_or(c"none", |res| region_name(res.mem_type())),
            bo.resource()
                .and_then(|res| res.of_manager::<Vram>())
                .and_then(|(_, vram)| vram.start()),
            bo.has_memory(),
            bo.priority().level(),
            bo.pin_count(),
        )
    };
    let caching = match bo.caching {
        Caching::Uncached => "uc",
        Caching::WriteCombined => "wc",
        Caching::Cached => "cached",
    };
    let record = &bo.record;

    seq_print!(
        out,
        "bo={} size={} place={} resident={} places=",
        record.id(),
        bo.size(),
        place.to_str()?,
        u32::from(resident)
    );
    let mut separator = "";
    for (mem_type, name) in REGIONS.iter().rev() {
        if bo.request.mask() & 1 << mem_type.as_raw() != 0 {
            seq_print!(out, "{separator}{}", name.to_str()?);
            separator = ",";
        }
    }
    seq_print!(
        out,
        " flags={:#x} caching={caching} alignment={} priority={priority} pins={pins} vm={} \
         shared={} evicted={} lost={} client={} pid={}",
        bo.request.flags(),
        bo.alignment,
        bo.vm_id(),
        u32::from(is_shared(bo.as_gem())),
        u32::from(record.was_evicted()),
        u32::from(bo.lost.load(Relaxed)),
        record.client(),
        record.pid()
    );
    if let Some(start) = start {
        seq_print!(out, " offset={start}");
    }
    seq_print!(out, "\n");
    Ok(())
}
