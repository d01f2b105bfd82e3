// SPDX-License-Identifier: MIT

//! Sharing a BO that has its pages: export, import, mapping the import, and touching every page.

mod copy;

use std::os::fd::AsFd;

use anyhow::{Result, bail};
use rgt::{Device, Mapping, Placement};

use crate::clock::Samples;
use crate::driver::{Driver, Ours, Qxl, Vgem};
use crate::row::cost;

pub(crate) use copy::run as copies;

const PAGE: usize = 4096;

/// Sizes, what they are called, and how often each is measured.
const SIZES: [(usize, &str, usize); 2] = [(4 << 10, "4K", 201), (1 << 20, "1M", 51)];

/// Measures sharing between two clients of a device, between two devices of ours, and from vgem to
/// ours. Other drivers do not map what they import.
pub(crate) fn run() -> Result<()> {
    let [first, second] = both()?;
    let again = Device::open_path(first.path())?;
    for (name, placement) in [("vram", Placement::VRAM), ("gtt", Placement::GTT)] {
        let from = Ours::new(&first, placement);
        for (whose, to) in [("itself", &again), ("second", &second)] {
            let to = Ours::new(to, placement);
            measure(&format!("rgt.{name}.{whose}"), &from, &to)?;
        }
    }
    match (Vgem::open()?, Vgem::open()?) {
        (Some(from), Some(to)) => {
            measure("vgem.itself", &from, &to)?;
            measure("vgem.rgt", &from, &Ours::new(&first, Placement::GTT))?;
        }
        _ => eprintln!("rgt-bench: no device of vgem, to compare with"),
    }
    match (Qxl::open()?, Qxl::open()?) {
        (Some(from), Some(to)) => measure("qxl.itself", &from, &to)?,
        _ => eprintln!("rgt-bench: no device of qxl, to compare with"),
    }
    Ok(())
}

/// The first two devices of ours.
fn both() -> Result<[Device; 2]> {
    let paths = Device::list()?;
    let [first, second, ..] = paths.as_slice() else {
        bail!("sharing takes two GPUs, found {}", paths.len());
    };
    Ok([Device::open_path(first)?, Device::open_path(second)?])
}

fn measure(name: &str, from: &impl Driver, to: &impl Driver) -> Result<()> {
    for (size, size_name, times) in SIZES {
        // The extra cost of the first one is not counted.
        Stages::default().add(from, to, size)?;
        let mut stages = Stages::default();
        for _ in 0..times {
            stages.add(from, to, size)?;
        }
        stages.print(&format!("{name}.{size_name}"));
    }
    Ok(())
}

fn touch(map: &Mapping) {
    for offset in (0..map.len()).step_by(PAGE) {
        map.write(offset, 1);
    }
}

#[derive(Default)]
struct Stages {
    export: Samples,
    import: Samples,
    map: Samples,
    touch: Samples,
    release: Samples,
}

impl Stages {
    fn add(&mut self, from: &impl Driver, to: &impl Driver, size: usize) -> Result<()> {
        let exported = from.create(size)?;
        // As long as its exporter maps it, vgem keeps its pages.
        let own = Mapping::new(from, from.map_offset(exported)?, size)?;
        touch(&own);

        let buf = self.export.time(|| from.export(exported))?;
        let imported = self.import.time(|| to.import(buf.as_fd()))?;
        let map = self.map.time(|| {
            let offset = to.map_offset(imported)?;
            anyhow::Ok(Mapping::new(to, offset, size)?)
        })?;
        self.touch.time(|| touch(&map));
        self.release.time(|| {
            drop(map);
            drop(buf);
            to.close(imported)
        })?;
        drop(own);
        from.close(exported)
    }

    fn print(&self, name: &str) {
        let mut sum = 0;
        for (stage, samples) in [
            ("export", &self.export),
            ("import", &self.import),
            ("map", &self.map),
            ("touch", &self.touch),
        ] {
            let median = samples.median();
            sum += median;
            cost(format_args!("{name}.{stage}"), median);
        }
        cost(format_args!("{name}.sum"), sum);
        cost(format_args!("{name}.release"), self.release.median());
    }
}
