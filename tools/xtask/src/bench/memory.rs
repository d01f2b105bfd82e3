// SPDX-License-Identifier: GPL-2.0

//! The memory manager: what a BO costs the CPU, and how many bytes are moved
//! when VRAM is too small.

use std::time::Duration;

use super::figures::Figure;
use super::{APPEND, Benchmark, Bound, Goal, Place, Script, few_instructions};
use crate::guest::{Clock, Machine};

/// It compares with qxl, the smallest TTM driver in C, in the same boot.
pub(super) const BENCHMARK: Benchmark = Benchmark {
    name: "memory",
    place: Place::Guest(Script {
        machine: Machine {
            name: "bench",
            append: APPEND,
            devices: &["qxl"],
            clock: Clock::Instructions,
            limit: Duration::from_secs(1800),
            ..Machine::DEFAULT
        },
        text: SCRIPT,
    }),
    unit: "instructions",
    columns: &["create", "map", "touch", "unmap", "close", "sum"],
    noise,
    goals: GOALS,
};

/// Returns how much a figure may differ between runs.
fn noise(figure: &Figure) -> f64 {
    let of_vram = figure.name.starts_with("rgt.vram.") && !figure.name.starts_with("rgt.vram.4K.");
    let waits = figure.name.ends_with(".touch") || figure.name.ends_with(".sum");
    match figure.unit.as_str() {
        // A copy engine clears it, and how the CPU waits for that depends on the device process.
        "instructions" if of_vram && waits => figure.value * 0.1,
        "instructions" => few_instructions(figure),
        // Memory is counted in whole pages of slabs, over all BOs.
        _ if figure.name == "footprint.bo" => 8.0,
        _ => 0.0,
    }
}

const SCRIPT: &str = "\
failed=0
modprobe qxl
rgt-bench lifecycle calls evict footprint || failed=1
rgt-bench --label default trace || failed=1
rmmod rust_gpu_ttm
modprobe rust_gpu_ttm lru=1
rgt-bench --label lru trace || failed=1
exit $failed
";

const GOALS: &[Goal] = &[
    Goal {
        what: "4 KiB of VRAM, create to close, of qxl's",
        value: |figures| figures.ratio("rgt.vram.4K.sum", "qxl.4K.sum"),
        bound: Bound::AtMost(0.8),
    },
    Goal {
        what: "1 MiB of VRAM, create to close, of qxl's",
        value: |figures| figures.ratio("rgt.vram.1M.sum", "qxl.1M.sum"),
        bound: Bound::AtMost(0.3),
    },
    Goal {
        what: "4 KiB of system pages, create to close, of qxl's",
        value: |figures| figures.ratio("rgt.system.4K.sum", "qxl.4K.sum"),
        bound: Bound::AtMost(0.8),
    },
    Goal {
        what: "1 MiB of system pages, create to close, of qxl's",
        value: |figures| figures.ratio("rgt.system.1M.sum", "qxl.1M.sum"),
        bound: Bound::AtMost(0.3),
    },
    Goal {
        what: "bytes moved by cyclic use of 110 % of VRAM, of LRU's",
        value: |figures| figures.ratio("trace.vram.default.moved", "trace.vram.lru.moved"),
        bound: Bound::AtMost(0.5),
    },
    Goal {
        what: "bandwidth of eviction, of the copy engine's",
        value: |figures| figures.ratio("evict.bandwidth", "evict.peak"),
        bound: Bound::AtLeast(0.9),
    },
];
