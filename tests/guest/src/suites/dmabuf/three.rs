// SPDX-License-Identifier: GPL-2.0

//! Three GPUs, of which two reach each other's VRAM: each pair is decided by itself.

use std::fs;
use std::path::{Component, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rgt::{Bo, Placement};
use rustix::io::Errno;

use super::p2p::{all, share, sum_of};
use crate::expect::{fails, same};
use crate::harness::{Need, Outcome, Suite, Tag, tests};
use crate::peer::{Cpu, DmaBuf};
use crate::rig::{HIDDEN, MIB, PAGE, PATIENCE, Pressure, Rig, noise};

pub(crate) const SUITE: Suite = Suite {
    name: "dmabuf-three",
    needs: &[Need::ThreeGpus, Need::PeerAccess],
    tags: &[Tag::Dmabuf],
    tests: &[tests![
        each_pair_is_decided_by_itself,
        one_who_needs_pages_takes_it_there_for_all,
        what_one_refuses_another_takes,
        one_bo_is_written_in_turn,
        a_circle_of_loans,
    ]],
};

/// The pairs, by number and in both directions.
const PAIRS: [(usize, usize); 6] = [(0, 1), (1, 0), (0, 2), (2, 0), (1, 2), (2, 1)];

/// The GPUs: the first two are peers, and the third has no peer.
fn gpus() -> Result<[Rig; 3]> {
    let rigs: [Rig; 3] = all()?
        .try_into()
        .map_err(|rigs: Vec<Rig>| anyhow::anyhow!("expected three GPUs, found {}", rigs.len()))?;
    let mut ports = Vec::new();
    for rig in &rigs {
        ports.push(root_port(rig)?);
    }
    ensure!(
        ports[0] == ports[1] && ports[0] != ports[2],
        "they sit below {ports:?}"
    );
    Ok(rigs)
}

/// The root port above a GPU.
fn root_port(rig: &Rig) -> Result<PathBuf> {
    let node = rig.device.path().file_name().context("a node")?;
    let device = PathBuf::from("/sys/class/drm").join(node).join("device");
    let path = fs::canonicalize(device)?;
    let is_host = |part: &Component<'_>| part.as_os_str().to_string_lossy().starts_with("pci");
    let mut parts = path.components().skip_while(|part| !is_host(part));
    let port = parts.nth(1).context("a root port")?;
    Ok(PathBuf::from(port.as_os_str()))
}

fn are_peers(one: usize, other: usize) -> bool {
    one + other == 1
}

fn each_pair_is_decided_by_itself() -> Outcome {
    let gpus = gpus()?;
    for (from, to) in PAIRS {
        let name = format!("{from} to {to}");
        let (owner, user) = (&gpus[from], &gpus[to]);
        let bo = owner.bo(MIB, |bo| bo)?;
        owner.fill(&bo, 1)?;
        same(&name, bo.info()?.current_placement, Placement::VRAM)?;
        let lent = share(&bo, user)?;
        same(&name, user.checksum(&lent)?, sum_of(1))?;
        let place = match are_peers(from, to) {
            true => Placement::VRAM,
            false => Placement::GTT,
        };
        same(&name, bo.info()?.current_placement, place)?;
    }
    Ok(())
}

fn one_who_needs_pages_takes_it_there_for_all() -> Outcome {
    let [owner, peer, other] = gpus()?;
    let bo = owner.bo(MIB, |bo| bo)?;
    owner.fill(&bo, 1)?;
    let at_peer = share(&bo, &peer)?;
    same("sum by the peer", peer.checksum(&at_peer)?, sum_of(1))?;
    same("place", bo.info()?.current_placement, Placement::VRAM)?;

    let at_other = share(&bo, &other)?;
    other.fill(&at_other, 2)?;
    same("place", bo.info()?.current_placement, Placement::GTT)?;
    // Its mapping was taken from it.
    same("sum by the peer", peer.checksum(&at_peer)?, sum_of(2))?;
    peer.fill(&at_peer, 3)?;
    same("sum by the owner", owner.checksum(&bo)?, sum_of(3))?;
    same("place", bo.info()?.current_placement, Placement::GTT)?;

    drop(at_other);
    // The kernel detaches it behind the scenes; before, the BO has to stay in pages.
    let deadline = Instant::now() + PATIENCE;
    loop {
        owner.fill(&bo, 4)?;
        let place = bo.info()?.current_placement;
        if place == Placement::VRAM {
            break;
        }
        ensure!(Instant::now() < deadline, "it stays in {place:?}");
        thread::sleep(Duration::from_millis(10));
    }
    same("sum by the peer", peer.checksum(&at_peer)?, sum_of(4))?;
    same("place", bo.info()?.current_placement, Placement::VRAM)
}

fn what_one_refuses_another_takes() -> Outcome {
    let gpus = gpus()?;
    for (from, to) in PAIRS {
        let bo = gpus[from].bo(PAGE, HIDDEN)?;
        let fd = bo.export()?;
        let result = Bo::import(&gpus[to].device, fd);
        match are_peers(from, to) {
            true => drop(result.with_context(|| format!("{from} to {to}"))?),
            false => fails(&format!("{from} to {to}"), Errno::OPNOTSUPP, result)?,
        }
    }
    Ok(())
}

/// A BO that all three use, each of what the one before it wrote, while its owner evicts it.
fn one_bo_is_written_in_turn() -> Outcome {
    let gpus = gpus()?;
    for owner in 0..gpus.len() {
        let bo = gpus[owner].bo(MIB, |bo| bo)?;
        gpus[owner].fill(&bo, 0)?;
        let lent = gpus
            .iter()
            .map(|rig| share(&bo, rig))
            .collect::<Result<Vec<_>>>()?;
        same("handle", lent[owner].handle(), bo.handle())?;
        let pressure = Pressure::on(&gpus[owner].device)?;
        for round in 0..6u32 {
            let turn = round as usize % gpus.len();
            let name = format!("sum of {owner}'s by {turn} in round {round}");
            same(&name, gpus[turn].checksum(&lent[turn])?, sum_of(round))?;
            gpus[turn].fill(&lent[turn], round + 1)?;
            if turn == owner {
                pressure.round()?;
            }
        }
        let buf: DmaBuf = bo.export()?.into();
        let by_cpu = buf.access(Cpu::Reads, |map| map.checksum(0..map.len()))?;
        same("sum by the CPU", by_cpu, sum_of(6))?;
    }
    Ok(())
}

/// Each lends a BO to the next one, which copies into it what it was given itself.
fn a_circle_of_loans() -> Outcome {
    let gpus = gpus()?;
    let next = |index: usize| (index + 1) % gpus.len();
    let own = gpus
        .iter()
        .map(|rig| rig.bo(MIB, |bo| bo))
        .collect::<Result<Vec<_>>>()?;
    // Each GPU writes to the BO of the next one.
    let loans = (0..gpus.len())
        .map(|index| share(&own[next(index)], &gpus[index]))
        .collect::<Result<Vec<_>>>()?;

    let words = noise(17, MIB as usize / 4);
    let sum = rgt::checksum::of_dwords(&words);
    let source = gpus[0].gtt(MIB)?;
    source.map()?.write_slice(0, &words);
    gpus[0].copy(&source, &own[0])?;
    for round in 0..3 {
        for (index, rig) in gpus.iter().enumerate() {
            rig.copy(&own[index], &loans[index])?;
            // Only what came from there may come back.
            rig.fill(&own[index], round)?;
            let target = next(index);
            let name = format!("sum of {target}'s in round {round}");
            same(&name, gpus[target].checksum(&own[target])?, sum)?;
        }
    }
    Ok(())
}
