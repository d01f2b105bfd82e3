// SPDX-License-Identifier: MIT

//! A buffer object's life as the CPU sees it: create, map, touch every page, unmap, close; in this
//! driver and in qxl, the kernel's smallest TTM driver in C.

use anyhow::Result;
use rgt::{Device, Mapping, Placement};

use crate::clock::Samples;
use crate::driver::{Driver, Ours, Qxl};
use crate::row::cost;

const PAGE: usize = 4096;

/// Sizes, what they are called, and how often each is measured.
const SIZES: [(usize, &str, usize); 4] = [
    (4 << 10, "4K", 301),
    (64 << 10, "64K", 101),
    (1 << 20, "1M", 31),
    (4 << 20, "4M", 15),
];

/// Measures all drivers that are there.
pub(crate) fn run(device: &Device) -> Result<()> {
    for (name, placement) in [
        ("rgt.vram", Placement::VRAM),
        ("rgt.gtt", Placement::GTT),
        ("rgt.system", Placement::SYSTEM),
    ] {
        measure(name, &Ours::new(device, placement))?;
    }
    match Qxl::open()? {
        Some(qxl) => measure("qxl", &qxl),
        None => {
            eprintln!("rgt-bench: no device of qxl, to compare with");
            Ok(())
        }
    }
}

fn measure(driver_name: &str, driver: &impl Driver) -> Result<()> {
    for (size, name, times) in SIZES {
        // The extra cost of the first one is not counted.
        Stages::default().add(driver, size)?;
        let mut stages = Stages::default();
        for _ in 0..times {
            stages.add(driver, size)?;
        }
        stages.print(&format!("{driver_name}.{name}"));
    }
    Ok(())
}

#[derive(Default)]
struct Stages {
    create: Samples,
    map: Samples,
    touch: Samples,
    unmap: Samples,
    close: Samples,
}

impl Stages {
    fn add(&mut self, driver: &impl Driver, size: usize) -> Result<()> {
        let handle = self.create.time(|| driver.create(size))?;
        let map = self.map.time(|| {
            let offset = driver.map_offset(handle)?;
            anyhow::Ok(Mapping::new(driver, offset, size)?)
        })?;
        self.touch.time(|| {
            for offset in (0..size).step_by(PAGE) {
                map.write(offset, 1);
            }
        });
        self.unmap.time(|| drop(map));
        self.close.time(|| driver.close(handle))
    }

    fn print(&self, name: &str) {
        let stages = [
            ("create", &self.create),
            ("map", &self.map),
            ("touch", &self.touch),
            ("unmap", &self.unmap),
            ("close", &self.close),
        ];
        let mut sum = 0;
        for (stage, samples) in stages {
            let median = samples.median();
            sum += median;
            cost(format_args!("{name}.{stage}"), median);
        }
        cost(format_args!("{name}.sum"), sum);
    }
}
