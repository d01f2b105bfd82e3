// SPDX-License-Identifier: GPL-2.0

//! `page_pool`: TTM's pool of system pages of this device, in TTM's own format.

use kernel::{
    drm::Registered,
    prelude::*,
    seq_file::SeqFile, //
};

use crate::{
    device::{
        RgtDevice,
        RgtDriver, //
    },
    rust::drm::debugfs::File, //
};

/// The file.
pub(super) struct PagePool;

impl File for PagePool {
    type Driver = RgtDriver;

    const NAME: &'static CStr = c"page_pool";

    fn show(dev: &RgtDevice<Registered>, out: &SeqFile) -> Result {
        dev.ttm().show_pool(out)
    }
}
