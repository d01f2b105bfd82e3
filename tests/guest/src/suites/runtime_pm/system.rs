// SPDX-License-Identifier: GPL-2.0

//! What the system does to a GPU while that sleeps.

use anyhow::Result;

use super::asleep::awake_without_permission;
use super::auto::{Auto, SHORT};
use crate::expect::same;
use crate::harness::{Control, Outcome, Test, tests};
use crate::rig::{Kept, Rig};
use crate::suites::power::Sleep;
use crate::suites::reset::reset_function;
use crate::suites::unbind::{Unbound, works};

pub(super) const TESTS: &[Test] = tests![
    sleep_of_the_system,
    suspend_to_ram,
    resets,
    a_loss_of_power,
    the_driver_goes,
];

/// Does something to a GPU that sleeps, twice, and looks whether it has all that it had.
fn survives(mut f: impl FnMut(&Rig, &Auto) -> Outcome) -> Outcome {
    let rig = Rig::new()?;
    let kept = Kept::all(&rig)?;
    let generation = rig.device.vram_generation()?;
    let auto = Auto::after(&rig.device, SHORT)?;

    for _ in 0..2 {
        auto.falls_asleep()?;
        f(&rig, &auto)?;
        kept.iter().try_for_each(|kept| kept.check(&rig))?;
    }
    // Nothing was there to be lost.
    same("generation", rig.device.vram_generation()?, generation)
}

fn sleep_of_the_system() -> Outcome {
    survives(|_, auto| {
        auto.sleeps_on("sleep of the system", || Sleep::Drivers.enter())?;
        auto.sleeps_on("suspend to idle", || Sleep::Devices.enter())?;
        Sleep::Image.enter()
    })
}

/// The firmware wakes it.
fn suspend_to_ram() -> Outcome {
    survives(|_, _| Sleep::Ram.enter())
}

fn resets() -> Outcome {
    let reset = |rig: &Rig, auto: &Auto| -> Result<()> {
        auto.wakes("a reset", || reset_function(&rig.device))
    };
    let rig = Rig::new()?;
    let kept = Kept::all(&rig)?;
    let auto = Auto::after(&rig.device, SHORT)?;
    for _ in 0..2 {
        auto.falls_asleep()?;
        reset(&rig, &auto)?;
        kept.iter().try_for_each(|kept| kept.check(&rig))?;
    }
    Ok(())
}

fn a_loss_of_power() -> Outcome {
    let mut control = Control::open()?;
    survives(|_, auto| auto.sleeps_on("a loss of power", || control.send("power-loss 0")))
}

fn the_driver_goes() -> Outcome {
    for _ in 0..2 {
        let rig = Rig::new()?;
        let kept = Kept::all(&rig)?;
        let auto = Auto::after(&rig.device, SHORT)?;
        auto.falls_asleep()?;
        let unbound = Unbound::now()?;
        same("the kept", kept.is_empty(), false)?;
        unbound.bind()?;
        drop((kept, rig));
        works()?;
        // The delay is the driver's again.
        auto.set_delay(SHORT)?;
        auto.falls_asleep()?;
        works()?;
    }
    // The references that the kernel counts are those of before.
    Unbound::now()?.bind()?;
    awake_without_permission(&Rig::new()?)
}
