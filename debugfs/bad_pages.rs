// SPDX-License-Identifier: GPL-2.0

//! `bad_pages`: retired pages of VRAM.

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
pub(super) struct BadPages;

impl File for BadPages {
    type Driver = RgtDriver;

    const NAME: &'static CStr = c"bad_pages";

    fn show(dev: &RgtDevice<Registered>, out: &SeqFile) -> Result {
        for (offset, in_use) in dev.managers.vram.inner().bad_pages()? {
            seq_print!(out, "offset={offset} in_use={}\n", u32::from(in_use));
        }
        Ok(())
    }
}
