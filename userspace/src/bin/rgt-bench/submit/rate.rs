// SPDX-License-Identifier: MIT

//! Jobs in a billion instructions of the whole machine.

use std::thread;

use anyhow::{Result, anyhow};
use rgt::{Device, Vm};

use super::blocker::{Blocker, Length};
use super::case::Case;
use crate::clock::Samples;
use crate::filler::Filler;
use crate::row::row;

const CLIENTS: u64 = 8;
/// Jobs of each client.
const JOBS: u64 = 100;
const TIMES: usize = 9;

/// Measures jobs of one client that submits all and waits then, of one that waits for each, and of
/// several at once that submit all.
pub(super) fn run(device: &Device, filler: &Filler, blocker: &Blocker) -> Result<()> {
    let client = || -> Result<Case> {
        let device = Device::open_path(device.path())?;
        let case = Case::new(&Vm::create(&device)?)?;
        case.submit()?;
        case.wait()?;
        Ok(case)
    };
    let one = client()?;
    print("jobs.ahead", || {
        filler.per_job(JOBS, || {
            blocker.start(Length::Long)?;
            flood(&one)
        })
    })?;
    print("jobs.one_by_one", || {
        filler.per_job(JOBS, || {
            (0..JOBS).try_for_each(|_| {
                one.submit()?;
                one.wait()
            })
        })
    })?;

    let clients = (0..CLIENTS).map(|_| client()).collect::<Result<Vec<_>>>()?;
    print("jobs.clients", || {
        filler.per_job(CLIENTS * JOBS, || {
            blocker.start(Length::Long)?;
            thread::scope(|scope| {
                let all: Vec<_> = clients
                    .iter()
                    .map(|client| scope.spawn(|| flood(client)))
                    .collect();
                all.into_iter().try_for_each(|client| {
                    client.join().map_err(|_| anyhow!("a client panicked"))?
                })
            })
        })
    })
}

/// Submits all jobs of a client, and waits for them.
fn flood(client: &Case) -> Result<()> {
    (0..JOBS).try_for_each(|_| client.submit())?;
    client.wait()
}

fn print(name: &str, per_job: impl Fn() -> Result<u64>) -> Result<()> {
    let mut samples = Samples::default();
    for _ in 0..TIMES {
        samples.add(per_job()?);
    }
    let rate = 1_000_000_000 / samples.median().max(1);
    row(name, rate, "jobs/10^9 instructions");
    Ok(())
}
