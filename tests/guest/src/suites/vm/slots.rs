// SPDX-License-Identifier: GPL-2.0

//! More VMs than the GPU has address spaces: they take turns.

use std::time::Duration;

use rgt::abi::limits::ADDRESS_SPACES;
use rgt::{Bo, Device, Engine, Vm};

use crate::expect::same;
use crate::harness::{Outcome, Test, tests};
use crate::rig::{Held, PAGE, Rig};

pub(super) const TESTS: &[Test] = tests![
    thousands,
    jobs_in_more_vms_than_slots,
    queued_jobs_in_more_vms_than_slots,
    another_slot_each_time,
    slots_after_an_engine_reset,
];

/// VMs that jobs run in, more than twice as many as there are slots.
const MANY: usize = 2 * ADDRESS_SPACES as usize + 3;

/// A VM with a BO of its own content and one for the result, at the addresses that all others have
/// theirs at.
struct Client {
    rig: Rig,
    source: Bo,
    target: Bo,
    content: u32,
}

impl Client {
    fn new(device: &Device, number: usize) -> anyhow::Result<Self> {
        let rig = Rig::on(device)?;
        let (source, target) = (rig.gtt(PAGE)?, rig.gtt(PAGE)?);
        let content = 0x5107_0000 + u32::try_from(number)?;
        source.map()?.fill(0..PAGE as usize, content);
        Ok(Self {
            rig,
            source,
            target,
            content,
        })
    }

    /// So many, each with contexts of its own: their jobs need not run in order.
    fn several(count: usize) -> anyhow::Result<Vec<Self>> {
        (0..count).map(|n| Self::new(&Device::open()?, n)).collect()
    }

    /// Engines in turn.
    fn engine(&self) -> Engine {
        match self.content % 2 {
            0 => self.rig.copy,
            _ => self.rig.render,
        }
    }

    /// A job that copies source to target once it is told to.
    fn held_copy(&self) -> anyhow::Result<Held> {
        self.target.map()?.fill(0..PAGE as usize, 0);
        self.rig.held(self.engine(), |work| {
            let (from, to) = (work.reads(&self.source)?, work.writes(&self.target)?);
            work.commands.copy(from, to, PAGE)?;
            Ok(())
        })
    }

    /// Copies source to target.
    fn copy(&self) -> anyhow::Result<()> {
        self.target.map()?.fill(0..PAGE as usize, 0);
        self.rig.copy(&self.source, &self.target)
    }

    fn check(&self) -> Outcome {
        same(
            "what the job copied",
            self.target.map()?.checksum(0..PAGE as usize),
            rgt::checksum::of_fill(self.content, PAGE / 4),
        )
    }
}

fn thousands() -> Outcome {
    const COUNT: usize = 2000;
    let (device, other) = (Device::open()?, Device::open()?);
    let mut vms = Vec::new();
    for _ in 0..COUNT {
        vms.push(Vm::create(&device)?);
        if vms.len().is_multiple_of(4) {
            vms.push(Vm::create(&other)?);
        }
    }
    let mut ids: Vec<_> = vms.iter().map(Vm::id).collect();
    ids.sort_unstable();
    ids.dedup();
    same("different numbers of a client", ids.len(), COUNT)?;
    for number in (0..COUNT).step_by(COUNT / 40) {
        Client::new(&device, number)?.copy()?;
    }
    Ok(())
}

fn jobs_in_more_vms_than_slots() -> Outcome {
    let clients = Client::several(MANY)?;
    for _ in 0..3 {
        let held: Vec<_> = clients
            .iter()
            .map(Client::held_copy)
            .collect::<anyhow::Result<_>>()?;
        // The jobs come in another order than the slots were given.
        for job in held.into_iter().rev() {
            job.finish()?;
        }
        clients.iter().try_for_each(Client::check)?;
    }
    Ok(())
}

fn queued_jobs_in_more_vms_than_slots() -> Outcome {
    let clients = Client::several(MANY)?;
    let rig = &clients[0].rig;
    let (blocker, render) = (rig.gtt(PAGE)?, rig.gtt(PAGE)?);
    let busy = [
        rig.busy(rig.copy, Duration::from_millis(300), |work| {
            work.writes(&blocker).map(drop)
        })?,
        rig.busy(rig.render, Duration::from_millis(300), |work| {
            work.writes(&render).map(drop)
        })?,
    ];
    // All of them are ready to run while the engines are busy.
    let mut held: Vec<_> = clients
        .iter()
        .map(Client::held_copy)
        .collect::<anyhow::Result<_>>()?;
    held.iter_mut().try_for_each(Held::release)?;
    for job in held {
        job.finish()?;
    }
    busy.into_iter().try_for_each(|busy| busy.wait())?;
    clients.iter().try_for_each(Client::check)
}

fn another_slot_each_time() -> Outcome {
    // One more than slots: the one whose turn it is has lost its slot to the one before.
    let clients = Client::several(ADDRESS_SPACES as usize)?;
    for _ in 0..4 {
        for client in &clients {
            client.copy()?;
            client.check()?;
        }
    }
    Ok(())
}

fn slots_after_an_engine_reset() -> Outcome {
    let clients = Client::several(MANY)?;
    clients.iter().try_for_each(Client::copy)?;
    let rig = &clients[0].rig;
    let bo = rig.gtt(PAGE)?;
    let endless = rig.endless(rig.copy, |work| work.writes(&bo).map(drop))?;
    // They wait behind it with their slots.
    let mut held: Vec<_> = clients
        .iter()
        .map(Client::held_copy)
        .collect::<anyhow::Result<_>>()?;
    held.iter_mut().try_for_each(Held::release)?;
    endless.wait()?;
    held.into_iter().try_for_each(Held::finish)?;
    clients.iter().try_for_each(Client::check)
}
