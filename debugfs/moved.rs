// SPDX-License-Identifier: GPL-2.0

//! `moved`: statistics of moves by their reason.

use kernel::{
    drm::Registered,
    prelude::*,
    seq_file::{
        seq_print,
        SeqFile, //
    }, //
};

use crate::{
    bo::MoveReason,
    device::{
        RgtDevice,
        RgtDriver, //
    },
    rust::drm::debugfs::File, //
};

/// The file.
pub(super) struct Moved;

impl File for Moved {
    type Driver = RgtDriver;

    const NAME: &'static CStr = c"moved";

    fn show(dev: &RgtDevice<Registered>, out: &SeqFile) -> Result {
        for reason in MoveReason::ALL {
            let (moves, bytes) = dev.moves.get(reason);
            seq_print!(
                out,
                "reason={} moves={moves} bytes={bytes}\n",
                reason.name().to_str()?
            );
        }
        Ok(())
    }
}
