// SPDX-License-Identifier: GPL-2.0

//! Clients under load, on a GPU that sleeps whenever it can.

use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::auto::Auto;
use crate::expect::same;
use crate::harness::{LONG, Length, Outcome, Test, tests};
use crate::rig::{Dice, PAGE, Rig, shrink_all};
use crate::suites::clients;

pub(super) const TESTS: &[Test] = tests![LONG; clients_that_pause, again_and_again];

/// Clients that allocate, move, submit and compare.
fn clients_that_pause() -> Outcome {
    const CLIENTS: u32 = 2;
    const PATIENCE: Duration = Duration::from_secs(300);
    let time = Length::choose(Duration::from_secs(8), Duration::from_secs(120));
    let rig = Rig::new()?;
    let generation = rig.device.vram_generation()?;
    let auto = Auto::after(&rig.device, Duration::ZERO)?;

    let slept = auto.suspended_ms()?;
    for (seed, delay) in (1..).zip([0, 1, 5]) {
        auto.set_delay(Duration::from_millis(delay))?;
        let clients = (0..CLIENTS)
            .map(|client| clients::start(seed * CLIENTS + client, time))
            .collect::<Result<Vec<_>>>()?;
        for client in clients {
            client
                .finish(time + PATIENCE)
                .with_context(|| format!("a client, with a delay of {delay} ms"))?;
        }
    }
    // Both have to pause at the same time for that.
    ensure!(auto.suspended_ms()? > slept, "it never slept");
    same("generation", rig.device.vram_generation()?, generation)
}

/// Everything that wakes it comes when it is about to sleep, or just does.
fn again_and_again() -> Outcome {
    let rounds = Length::choose(60, 2000);
    let rig = Rig::new()?;
    let bo = rig.visible(16 * PAGE)?;
    let map = bo.map()?;
    let auto = Auto::after(&rig.device, Duration::ZERO)?;
    let mut dice = Dice::new(11);

    for round in 1..=rounds {
        rig.fill(&bo, round)?;
        thread::sleep(Duration::from_micros(dice.below(20_000).into()));
        match dice.below(4) {
            0 => same("by the CPU", map.read(4), round)?,
            1 => shrink_all()?,
            2 => drop(rig.device.timestamp()?),
            _ => {}
        }
        same("by the GPU", rig.checksum(&bo)?, {
            rgt::checksum::of_fill(round, 16 * PAGE / 4)
        })?;
    }
    auto.falls_asleep()
}
