// SPDX-License-Identifier: GPL-2.0

//! `page_tables`: the VRAM for page tables.

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
    rust::drm::debugfs::File, //
};

/// The file.
pub(super) struct PageTables;

impl File for PageTables {
    type Driver = RgtDriver;

    const NAME: &'static CStr = c"page_tables";

    fn show(dev: &RgtDevice<Registered>, out: &SeqFile) -> Result {
        let usage = dev.registration_data_with(|gpu| gpu.table_memory_usage());
        seq_print!(
            out,
            "size={} used={} bad={}\n",
            usage.size,
            usage.used,
            usage.bad
        );
        Ok(())
    }
}
