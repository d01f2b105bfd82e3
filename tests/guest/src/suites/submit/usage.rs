// SPDX-License-Identifier: GPL-2.0

//! A client's use of the engines in fdinfo.

use anyhow::Result;
use rgt::{Device, EngineClass};

use crate::expect::same;
use crate::harness::{Outcome, Test, tests};
use crate::rig::{MIB, Rig};
use crate::suites::observe::FdInfo;

pub(super) const TESTS: &[Test] = tests![engine_keys, engine_keys_add_up];

const CLASSES: [(EngineClass, &str); 2] =
    [(EngineClass::Render, "render"), (EngineClass::Copy, "copy")];

/// Nanoseconds that counting whole ones may add to a few jobs.
const ROUNDING: u64 = 8;

/// Nanoseconds that a client used the engines of a class.
fn used(device: &Device, class: &str) -> Result<u64> {
    let info = FdInfo::of(device)?;
    let text = info.text(&format!("drm-engine-{class}"))?.to_owned();
    let (number, unit) = text.split_once(' ').unwrap_or((&text, ""));
    same("unit", unit, "ns")?;
    Ok(number.parse()?)
}

/// Nanoseconds that the engines of a class were busy.
fn busy(device: &Device, class: EngineClass) -> Result<u64> {
    let engines = device
        .engines()
        .iter()
        .filter(|engine| engine.class == class);
    engines
        .map(|engine| Ok(device.busy(*engine)?.as_nanos() as u64))
        .sum()
}

fn engine_keys() -> Outcome {
    let rig = Rig::new()?;
    let info = FdInfo::of(&rig.device)?;
    for (class, name) in CLASSES {
        let engines = rig.device.engines().iter();
        let count = engines.filter(|engine| engine.class == class).count();
        let key = format!("drm-engine-capacity-{name}");
        // One that is not there is 1.
        let capacity = info.number(&key).unwrap_or(1);
        same("capacity", capacity, count as u64)?;
        same("before any job", used(&rig.device, name)?, 0)?;
    }
    Ok(())
}

/// The clients' use adds up to the engines' busy time, but for jobs of the driver's own.
fn engine_keys_add_up() -> Outcome {
    let rigs = [Rig::new()?, Rig::new()?];
    for (class, name) in CLASSES {
        let engine = rigs[0].device.engine(class)?;
        let bos = [rigs[0].gtt(4 * MIB)?, rigs[1].gtt(4 * MIB)?];
        for (rig, bo) in rigs.iter().zip(&bos) {
            rig.fill(bo, 0)?;
        }
        let before = busy(&rigs[0].device, class)?;
        let of_each =
            || -> Result<Vec<u64>> { rigs.iter().map(|rig| used(&rig.device, name)).collect() };
        let each_before = of_each()?;
        for (rig, (bo, rounds)) in rigs.iter().zip(bos.iter().zip([30, 10])) {
            let mut work = rig.work(engine)?;
            let at = work.writes(bo)?;
            for round in 0..rounds {
                work.commands.fill(at, 4 * MIB, round)?;
            }
            work.run()?;
        }
        let each: Vec<u64> = of_each()?
            .iter()
            .zip(&each_before)
            .map(|(after, before)| after - before)
            .collect();
        let device = busy(&rigs[0].device, class)? - before;
        let sum: u64 = each.iter().sum();
        anyhow::ensure!(
            sum <= device + ROUNDING && sum * 10 >= device * 9,
            "{name}: the clients' {each:?} are not the engine's {device}"
        );
        let ratio = each[0] as f64 / each[1] as f64;
        anyhow::ensure!(
            (2.5..3.5).contains(&ratio),
            "{name}: three times the work gave {each:?}"
        );
    }
    Ok(())
}
