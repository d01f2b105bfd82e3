// SPDX-License-Identifier: GPL-2.0

//! Calls that no program would make, from several processes with several threads each on one file.
//!
//! They come from the list of the uAPI's structures and constants, a seed decides which. What they
//! find is a complaint of the kernel, a process that cannot be killed, memory that stays in use, or
//! a device that does not work afterwards.

mod arena;
mod calls;
mod client;
mod grammar;

use std::thread;
use std::time::Duration;

use anyhow::Result;

use super::unbind::works;
use crate::harness::{Helper, LONG, Length, Outcome, Suite, Tag, tests};
use crate::rig::PATIENCE;

pub(super) use client::run;

pub(super) const SUITE: Suite = Suite {
    name: "fuzz",
    needs: &[],
    tags: &[Tag::Long],
    tests: &[tests![LONG; calls]],
};

/// The helper that makes calls: arguments are a seed and milliseconds.
pub(super) const CALLER: &str = "fuzz";

fn calls() -> Outcome {
    const PROCESSES: u32 = 3;
    let rounds = Length::choose(3, 60);
    let time = Duration::from_secs(Length::choose(20, 60));
    for round in 0..rounds {
        let callers = (0..PROCESSES)
            .map(|number| {
                let seed = round * PROCESSES + number + 1;
                Helper::start(CALLER, &[seed.to_string(), time.as_millis().to_string()])
            })
            .collect::<Result<Vec<_>>>()?;
        // One that has not ended by then is in a call that waits.
        thread::sleep(time + Duration::from_secs(3));
        for caller in callers {
            caller.stop(PATIENCE)?;
        }
        works()?;
    }
    Ok(())
}
