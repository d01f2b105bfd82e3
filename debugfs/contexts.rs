// SPDX-License-Identifier: GPL-2.0

//! `contexts`: the jobs that wait in the entities of all contexts.

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
    rust::drm::{
        debugfs::File,
        file::{
            client_id,
            for_each, //
        }, //
    },
    sched::ContextStatus, //
};

/// The file.
pub(super) struct Contexts;

impl File for Contexts {
    type Driver = RgtDriver;

    const NAME: &'static CStr = c"contexts";

    fn show(dev: &RgtDevice<Registered>, out: &SeqFile) -> Result {
        for_each(dev, |file| {
            file.inner().for_each_context(|id, context| {
                let state = match context.reset_stats().status() {
                    ContextStatus::Ok => "good",
                    ContextStatus::Guilty => "guilty",
                    ContextStatus::Innocent => "innocent",
                };
                seq_print!(
                    out,
                    "client={} context={id} state={state} queued=",
                    client_id(file)
                );
                for (engine, queued) in context.queued().enumerate() {
                    let comma = if engine == 0 { "" } else { "," };
                    seq_print!(out, "{comma}{engine}:{queued}");
                }
                seq_print!(out, "\n");
            });
        });
        Ok(())
    }
}
