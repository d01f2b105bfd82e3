// SPDX-License-Identifier: GPL-2.0

//! Calls that no program would make, from several processes with several threads each on one file, and
//! packets that none would write.
//!
//! Calls come from the list of the uAPI's structures and constants, a seed decides which. Where the
//! kernel tells where they come to in the driver, those that come to new places are made again with
//! changes. What they find is a complaint of the kernel, a process that cannot be killed, memory
//! that stays in use, or a device that does not work afterwards.

mod arena;
mod calls;
mod choices;
mod client;
mod corpus;
mod coverage;
mod grammar;
mod packets;

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use self::corpus::Corpus;
use self::coverage::Coverage;
use super::unbind::works;
use crate::harness::{Helper, LONG, Length, Outcome, Suite, Tag, counted, tests};
use crate::rig::PATIENCE;

pub(super) use client::run;
pub(super) use packets::{ATTACKER, Attacker, attack, packets};

pub(super) const SUITE: Suite = Suite {
    name: "fuzz",
    needs: &[],
    tags: &[Tag::Long],
    tests: &[tests![LONG; calls, packets]],
};

/// The helper that makes calls: arguments are a seed, milliseconds, and the folder of what was found.
pub(super) const CALLER: &str = "fuzz";

/// How many places calls must come to in the driver's code, as kcov counts them. It falls if calls
/// fail early that did not.
const LEAST: usize = 4500;

fn calls() -> Outcome {
    const PROCESSES: u32 = 3;
    let rounds = Length::choose(3, 60);
    let time = Duration::from_secs(Length::choose(20, 60));
    let found = tempfile::tempdir()?;
    let folder = found.path().to_str().context("a folder in UTF-8")?;
    for round in 0..rounds {
        let callers = (0..PROCESSES)
            .map(|number| {
                let seed = round * PROCESSES + number + 1;
                let millis = time.as_millis();
                Helper::start(
                    CALLER,
                    &[seed.to_string(), millis.to_string(), folder.to_owned()],
                )
            })
            .collect::<Result<Vec<_>>>()?;
        // One that has not ended by then is in a call that waits.
        thread::sleep(time + Duration::from_secs(3));
        for caller in callers {
            caller.stop(PATIENCE)?;
        }
        works()?;
    }
    let places = Corpus::load(found.path())?.places();
    counted("places in the driver", places as u64);
    // A kernel without kcov has none.
    ensure!(places >= LEAST || !Coverage::is_there(), "{places} places");
    Ok(())
}
