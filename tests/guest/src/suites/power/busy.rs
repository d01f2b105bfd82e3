// SPDX-License-Identifier: GPL-2.0

//! Sleep while the GPU is in use.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rgt::{Context, Priority};

use super::sleep::Sleep;
use crate::expect::same;
use crate::harness::{Control, LONG, Length, Outcome, Test, tests};
use crate::rig::{PAGE, Rig};
use crate::suites::clients;

pub(super) const TESTS: &[Test] = tests![LONG; again_and_again, while_engines_hang];

/// Clients that allocate, move, submit and compare are frozen wherever they are.
fn again_and_again() -> Outcome {
    const CLIENTS: u32 = 3;
    /// The time of a client, which also passes in the kernel while it is frozen.
    const TIME: Duration = Duration::from_secs(20);
    let rig = Rig::new()?;
    let generation = rig.device.vram_generation()?;
    let cycles = Length::choose(10, 100);

    let mut clients = vec![];
    for cycle in 0..cycles {
        if cycle % 5 == 0 {
            finish(&mut clients)?;
            for seed in 0..CLIENTS {
                clients.push(clients::start(cycle * CLIENTS + seed + 1, TIME)?);
            }
        }
        std::thread::sleep(Duration::from_millis(700));
        let sleep = match cycle % 5 {
            4 => Sleep::Ram,
            _ => Sleep::Devices,
        };
        sleep.enter().with_context(|| format!("cycle {cycle}"))?;
    }
    finish(&mut clients)?;
    same("generation", rig.device.vram_generation()?, generation)
}

/// Waits for the clients, each of which has compared all that it had.
fn finish(clients: &mut Vec<crate::harness::Helper>) -> Outcome {
    const PATIENCE: Duration = Duration::from_secs(300);
    clients
        .drain(..)
        .try_for_each(|client| client.finish(PATIENCE))
}

/// The engines are reset, or the device, and the system sleeps after that.
fn while_engines_hang() -> Outcome {
    for fatal in [false, true] {
        let mut control = Control::open()?;
        let rig = Rig::new()?;
        let context = Context::create(&rig.device, Priority::Normal)?;
        let kept = rig.gtt(PAGE)?;
        rig.fill(&kept, 5)?;
        let mut works = rig
            .device
            .engines()
            .iter()
            .map(|engine| {
                let mut work = rig.work(*engine)?;
                work.context(&context);
                work.commands.nop()?;
                Ok(work)
            })
            .collect::<Result<Vec<_>>>()?;
        for (engine, work) in rig.device.engines().iter().zip(&mut works) {
            let how = if fatal { " fatal" } else { "" };
            control.send(&format!("hang 0 {}{how}", engine.id))?;
            work.submit()?;
        }
        Sleep::Devices.enter()?;
        for work in &mut works {
            work.wait()?;
        }
        ensure!(context.status()?.resets > 0, "no reset, fatal: {fatal}");
        for engine in rig.device.engines() {
            let bo = rig.visible(PAGE)?;
            let mut work = rig.work(*engine)?;
            let at = work.writes(&bo)?;
            work.commands.write(at, &[engine.id + 3])?;
            work.run()?;
            same("a job after that", bo.map()?.read(0), engine.id + 3)?;
        }
        same("a page of GTT", kept.map()?.read(0), 5)?;
    }
    Ok(())
}
