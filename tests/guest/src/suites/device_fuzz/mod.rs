// SPDX-License-Identifier: GPL-2.0

//! A device that does what none should, under clients that use it.
//!
//! Its registers, its memory with the page tables in it, and its configuration space change behind the
//! driver's back, what the driver tells it arrives as something else, and clients have it fetch packets
//! that no program would write. An IOMMU keeps what it accesses then to what was mapped for it. Jobs fail,
//! data is lost, and the device may be given up; but calls return, processes can be killed, the kernel has
//! nothing to complain of, and the driver has the device work when it gets it anew.

mod clients;
mod meddler;

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rgt::Device;

use super::fuzz;
use super::reset::directory;
use super::unbind::{Unbound, works};
use crate::harness::{Helper, LONG, Length, Need, Outcome, Suite, Tag, counted, tests};
use crate::rig::PATIENCE;

pub(super) use clients::{attack_it, use_it};
use meddler::{Header, Meddler, Place};

pub(super) const SUITE: Suite = Suite {
    name: "device-fuzz",
    needs: &[Need::Iommu, Need::LastOfBoot],
    tags: &[Tag::Long],
    tests: &[tests![LONG; registers, page_tables, configuration, messages, packets, all_of_it]],
};

/// The helper that uses the device, whatever becomes of that. Its argument is a seed.
pub(super) const USER: &str = "device-fuzz";

/// The helper that has it fetch packets which do what they should not, in the same way.
pub(super) const ATTACKER: &str = "device-fuzz-packets";

fn registers() -> Outcome {
    meddled(&[Place::Registers], USERS)
}

fn page_tables() -> Outcome {
    meddled(&[Place::Vram], USERS)
}

fn configuration() -> Outcome {
    meddled(&[Place::Configuration], USERS)
}

fn messages() -> Outcome {
    meddled(&[Place::Messages], USERS)
}

/// With a device that does what it should, others see nothing of them.
fn packets() -> Outcome {
    fuzz::packets()
}

fn all_of_it() -> Outcome {
    let places = [
        Place::Registers,
        Place::Vram,
        Place::Configuration,
        Place::Messages,
    ];
    meddled(&places, &[USER, USER, ATTACKER, ATTACKER])
}

/// Those that use the device.
const USERS: &[&str] = &[USER; 3];

fn meddled(places: &[Place], users: &[&str]) -> Outcome {
    const TIME: Duration = Duration::from_secs(5);
    let rounds = Length::choose(2, 30);
    let (mut changes, mut garbled) = (0, 0);
    for round in 0..rounds {
        let seeds = round * users.len() as u32..;
        let users = users.iter().zip(seeds);
        let users = users
            .map(|(user, seed)| Helper::start(user, &[seed.to_string()]))
            .collect::<Result<Vec<_>>>()?;
        // The node's folder goes with the driver.
        let directory = fs::canonicalize(directory(&Device::open()?)?)?;
        let header = Header::of(&directory)?;
        {
            let mut meddler = Meddler::new(&directory, round + 1)?;
            let before = meddler.garbled()?;
            let end = Instant::now() + TIME;
            while Instant::now() < end {
                meddler.change(places)?;
                changes += 1;
                thread::sleep(Duration::from_millis(5));
            }
            garbled += meddler.garbled()? - before;
        }
        for user in users {
            user.kill_within(PATIENCE)?;
        }
        let unbound = Unbound::now()?;
        header.restore()?;
        fs::write(directory.join("reset"), "1")?;
        unbound.bind()?;
        works()?;
    }
    counted("changes", changes);
    counted("garbled messages", garbled);
    ensure!(changes > 0, "nothing was changed");
    let garbles = places.contains(&Place::Messages);
    ensure!(garbles == (garbled > 0), "{garbled} messages were garbled");
    Ok(())
}
