// SPDX-License-Identifier: GPL-2.0

//! `rings`: the state of the device and its engines, as in a core dump.

use kernel::{
    drm::Registered,
    fmt::{
        Result as FmtResult,
        Write, //
    },
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
pub(super) struct Rings;

struct Writer<'a>(&'a SeqFile);

impl Write for Writer<'_> {
    fn write_str(&mut self, text: &str) -> FmtResult {
        seq_print!(self.0, "{text}");
        Ok(())
    }
}

impl File for Rings {
    type Driver = RgtDriver;

    const NAME: &'static CStr = c"rings";

    fn show(dev: &RgtDevice<Registered>, out: &SeqFile) -> Result {
        dev.registration_data_with(|gpu| gpu.resetter().print(&mut Writer(out)))
            .map_err(|_| EIO)
    }
}
