// SPDX-License-Identifier: GPL-2.0

//! Clients of a device that may do anything.

use std::thread;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::harness::Outcome;
use crate::rig::{Dice, HIDDEN, MIB, Rig, SHARED};
use crate::suites::fuzz::Attacker;
use crate::suites::inject::Sink;

/// Uses the device until the process is killed: the argument is a seed.
pub(in crate::suites) fn use_it(arguments: &[&str]) -> Outcome {
    again_and_again(arguments, all)
}

/// As above, by packets of which some do what they should not.
pub(in crate::suites) fn attack_it(arguments: &[&str]) -> Outcome {
    again_and_again(arguments, packets)
}

fn again_and_again(arguments: &[&str], once: fn(&mut Dice) -> Result<()>) -> Outcome {
    let [seed] = arguments else {
        bail!("expected a seed")
    };
    let mut dice = Dice::new(seed.parse()?);
    loop {
        // What fails, and how, depends on what the device does.
        if once(&mut dice).is_err() {
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// New and moved memory, jobs, and faults.
fn all(dice: &mut Dice) -> Result<()> {
    const MAKES: usize = 3;
    let rig = Rig::new()?;
    let sink = Sink::new(MIB)?;
    let makes: [_; MAKES] = [SHARED[0].1, SHARED[2].1, HIDDEN];
    for round in 0..16 {
        let make = makes[dice.below(MAKES as u32) as usize];
        let (source, target) = (rig.bo(MIB, make)?, rig.vram(MIB)?);
        rig.fill(&source, round)?;
        sink.touch(&source.map()?)?;
        rig.copy(&source, &target)?;
        sink.touch(&target.map()?)?;
        rig.checksum(&target)?;
    }
    Ok(())
}

/// Jobs on all engines.
fn packets(dice: &mut Dice) -> Result<()> {
    let mut attacker = Attacker::new(dice.roll())?;
    (0..64).try_for_each(|_| attacker.round())
}
