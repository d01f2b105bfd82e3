// SPDX-License-Identifier: GPL-2.0

//! `gtt_mm`, `vram_mm`, `scratchpad_mm`: the resource managers, in TTM's own format.

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
    resource_mgr::SCRATCHPAD,
    rust::drm::{
        debugfs::File,
        ttm::MemType, //
    }, //
};

/// A file of the manager of a memory type.
macro_rules! file {
    ($file:ident, $name:literal, $mem_type:expr) => {
        #[doc = concat!("The file `", stringify!($name), "`.")]
        pub(super) struct $file;

        impl File for $file {
            type Driver = RgtDriver;

            const NAME: &'static CStr = $name;

            fn show(dev: &RgtDevice<Registered>, out: &SeqFile) -> Result {
                dev.ttm().show_manager($mem_type, out)
            }
        }
    };
}

file!(Gtt, c"gtt_mm", MemType::TT);
file!(Vram, c"vram_mm", MemType::VRAM);
file!(Scratchpad, c"scratchpad_mm", SCRATCHPAD);
