// SPDX-License-Identifier: GPL-2.0

//! The counters of a GPU, as JSON.

use serde::Serialize;

use crate::cost::{self, Path};
use crate::device::Device;
use crate::engine::Class;

#[derive(Serialize)]
pub(super) struct Counters {
    removed: bool,
    resets: u32,
    tlb_hung: bool,
    garbled: u64,
    engines: Vec<EngineCounters>,
}

#[derive(Serialize)]
struct EngineCounters {
    class: &'static str,
    hung: bool,
    busy_ns: u64,
    packets: u64,
    fetched: Bytes,
    read: Bytes,
    written: Bytes,
    tlb_hits: u64,
    tlb_misses: u64,
}

#[derive(Serialize)]
struct Bytes {
    vram: u64,
    scratchpad: u64,
    system: u64,
    peer: u64,
}

impl From<cost::Bytes> for Bytes {
    fn from(bytes: cost::Bytes) -> Self {
        Self {
            vram: bytes[Path::Vram as usize],
            scratchpad: bytes[Path::Scratchpad as usize],
            system: bytes[Path::System as usize],
            peer: bytes[Path::Peer as usize],
        }
    }
}

impl Counters {
    pub(super) fn of(gpu: &Device) -> Self {
        let engines = gpu.engines().iter().map(|engine| {
            let totals = *engine.totals();
            EngineCounters {
                class: match engine.class() {
                    Class::Render => "render",
                    Class::Copy => "copy",
                },
                hung: engine.hung(),
                busy_ns: totals.busy(),
                packets: totals.packets,
                fetched: totals.fetched.into(),
                read: totals.read.into(),
                written: totals.written.into(),
                tlb_hits: totals.tlb_hits,
                tlb_misses: totals.tlb_misses,
            }
        });
        Self {
            removed: gpu.removed(),
            resets: gpu.resets(),
            tlb_hung: gpu.shared().invalidations.hung(),
            garbled: gpu.garbling().garbled(),
            engines: engines.collect(),
        }
    }
}
