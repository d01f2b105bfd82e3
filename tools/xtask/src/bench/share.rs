// SPDX-License-Identifier: GPL-2.0

//! Sharing: the cost of handing a BO to another client, and the bandwidth of
//! copies between two GPUs.

use std::time::Duration;

use super::{APPEND, Benchmark, Bound, Goal, Place, Script, few_instructions};
use crate::guest::{Bus, Clock, Gpu, Machine};

const GPU: Gpu = Gpu {
    vram: "256M",
    visible: "64M",
};

/// Two GPUs that access each other, and drivers in C to compare with: vgem,
/// whose buffers are shmem, and qxl, which is TTM.
pub(super) const BENCHMARK: Benchmark = Benchmark {
    name: "share",
    place: Place::Guest(Script {
        machine: Machine {
            name: "bench-peers",
            append: APPEND,
            gpus: &[GPU, GPU],
            bus: Bus::Switch,
            devices: &["qxl"],
            clock: Clock::Instructions,
            limit: Duration::from_secs(1200),
            ..Machine::DEFAULT
        },
        text: "\
modprobe qxl
modprobe vgem
rgt-bench share copies
",
    }),
    unit: "instructions",
    columns: &["export", "import", "map", "touch", "sum", "release"],
    noise: |figure| match figure.unit.as_str() {
        "instructions" => few_instructions(figure),
        _ => 0.0,
    },
    goals: GOALS,
};

const GOALS: &[Goal] = &[
    Goal {
        what: "4 KiB of VRAM to another client, of vgem's",
        value: |figures| figures.ratio("rgt.vram.itself.4K.sum", "vgem.itself.4K.sum"),
        bound: Bound::AtMost(1.0),
    },
    Goal {
        what: "1 MiB of VRAM to another client, of vgem's",
        value: |figures| figures.ratio("rgt.vram.itself.1M.sum", "vgem.itself.1M.sum"),
        bound: Bound::AtMost(1.0),
    },
    Goal {
        what: "4 KiB of pages to another client, of vgem's",
        value: |figures| figures.ratio("rgt.gtt.itself.4K.sum", "vgem.itself.4K.sum"),
        bound: Bound::AtMost(1.0),
    },
    Goal {
        what: "1 MiB of pages to another client, of vgem's",
        value: |figures| figures.ratio("rgt.gtt.itself.1M.sum", "vgem.itself.1M.sum"),
        bound: Bound::AtMost(1.0),
    },
    Goal {
        what: "4 KiB of VRAM to the other GPU, of vgem's to a GPU",
        value: |figures| figures.ratio("rgt.vram.second.4K.sum", "vgem.rgt.4K.sum"),
        bound: Bound::AtMost(1.0),
    },
    Goal {
        what: "4 KiB of pages to the other GPU, of vgem's to a GPU",
        value: |figures| figures.ratio("rgt.gtt.second.4K.sum", "vgem.rgt.4K.sum"),
        bound: Bound::AtMost(1.0),
    },
    Goal {
        what: "bandwidth of a peer's VRAM, of the link's",
        value: |figures| figures.ratio("copy.read", "copy.peak"),
        bound: Bound::AtLeast(0.9),
    },
    Goal {
        what: "the same, of a copy's by way of system memory",
        value: |figures| figures.ratio("copy.read", "copy.staged"),
        bound: Bound::AtLeast(1.5),
    },
];
