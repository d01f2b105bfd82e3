// SPDX-License-Identifier: GPL-2.0

//! `engines`: the jobs and busy time of the engines.

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
    hw::abi::class,
    rust::drm::debugfs::File, //
};

/// The file.
pub(super) struct Engines;

impl File for Engines {
    type Driver = RgtDriver;

    const NAME: &'static CStr = c"engines";

    fn show(dev: &RgtDevice<Registered>, out: &SeqFile) -> Result {
        dev.registration_data_with(|gpu| {
            for engine in gpu.engines() {
                let class = match engine.class() {
                    class::RENDER => "render",
                    class::COPY => "copy",
                    _ => "unknown",
                };
                let (done, pending) = engine.jobs();
                seq_print!(
                    out,
                    "engine={} class={class} done={done} pending={pending} busy_ns={}\n",
                    engine.index(),
                    engine.busy_ns()
                );
            }
        });
        Ok(())
    }
}
