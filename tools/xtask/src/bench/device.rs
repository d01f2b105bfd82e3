// SPDX-License-Identifier: GPL-2.0

//! The device itself, without a guest: how fast its engines touch memory, and what it costs to
//! reach it.

use super::figures::Figures;
use super::{Benchmark, Bound, Goal, Place};
use crate::crates::SOFTGPU;

pub(super) const BENCHMARK: Benchmark = Benchmark {
    name: "device",
    place: Place::Host {
        package: SOFTGPU,
        target: "device",
    },
    unit: "ns",
    columns: &["device", "host", "speed"],
    // Time, on a machine that does other things, too.
    noise: |figure| figure.value * 0.2,
    goals: GOALS,
};

/// The sizes that goals are about.
const LARGE: [&str; 3] = ["1M", "16M", "64M"];

const GOALS: &[Goal] = &[
    Goal {
        what: "copy in VRAM from 1 MiB on, of memcpy()",
        value: |figures| slowest(figures, "copy.vram"),
        bound: Bound::AtLeast(0.8),
    },
    Goal {
        what: "copy in system memory, of memcpy()",
        value: |figures| slowest(figures, "copy.system"),
        bound: Bound::AtLeast(0.8),
    },
    Goal {
        what: "clearing VRAM, of memset()",
        value: |figures| slowest(figures, "clear.vram"),
        bound: Bound::AtLeast(0.8),
    },
    Goal {
        what: "clearing system memory, of memset()",
        value: |figures| slowest(figures, "clear.system"),
        bound: Bound::AtLeast(0.8),
    },
    Goal {
        what: "checksum of VRAM, of memcpy()",
        value: |figures| slowest(figures, "checksum.vram"),
        bound: Bound::AtLeast(0.8),
    },
    Goal {
        what: "checksum of system memory, of memcpy()",
        value: |figures| slowest(figures, "checksum.system"),
        bound: Bound::AtLeast(0.8),
    },
];

/// Returns the lowest speed at a large size.
fn slowest(figures: &Figures, what: &str) -> Option<f64> {
    let speeds = LARGE.map(|size| figures.get(&format!("{what}.{size}.speed")));
    let speeds: Option<Vec<f64>> = speeds.into_iter().collect();
    speeds?.into_iter().reduce(f64::min)
}
