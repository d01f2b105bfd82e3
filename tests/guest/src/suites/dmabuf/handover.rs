// SPDX-License-Identifier: GPL-2.0

//! BOs given to other processes, whose givers die.

use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rgt::{Bo, Device, RegionKind};

use crate::expect::{each, same};
use crate::harness::{Outcome, Test, Used, meeting, tests};
use crate::peer::{Cpu, DmaBuf, receive_fd, send_fd};
use crate::rig::{HIDDEN, MIB, Make, PATIENCE, Rig, SHARED};

pub(super) const TESTS: &[Test] = tests![
    a_bo_outlives_its_giver,
    it_lives_in_the_socket,
    it_goes_with_its_last_file,
];

/// The helper that makes a BO and gives it away.
pub(crate) const GIVER: &str = "give";

const SIZE: u64 = 4 * MIB;
const PATTERN: u32 = 0x9a55_ed0e;

/// The kinds of memory that are given away.
fn kinds() -> impl Iterator<Item = (&'static str, Make)> {
    SHARED.into_iter().chain([("hidden VRAM", HIDDEN)])
}

/// Makes a BO of a kind, sends it to the socket of a name, and waits to be killed.
pub(crate) fn give(arguments: &[&str]) -> Outcome {
    let [name, kind] = arguments else {
        bail!("expected a socket and a kind, got {arguments:?}");
    };
    let (_, make) = kinds()
        .find(|(name, _)| name == kind)
        .context("no such kind")?;
    let rig = Rig::new()?;
    let bo = rig.bo(SIZE, make)?;
    rig.fill(&bo, PATTERN)?;
    let socket = meeting::connect(name)?;
    send_fd(&socket, bo.export()?.as_fd())?;
    thread::sleep(2 * PATIENCE);
    bail!("it was not killed");
}

/// The socket with a BO of a kind in it, whose giver is dead.
fn given(kind: &str) -> Result<UnixStream> {
    let (giver, socket) = meeting::start(GIVER, kind)?;
    meeting::arrives(&socket).context("it does not send")?;
    giver.kill()?;
    Ok(socket)
}

fn receive(socket: UnixStream) -> Result<DmaBuf> {
    Ok(receive_fd(&socket)?.into())
}

fn a_bo_outlives_its_giver() -> Outcome {
    let sum = rgt::checksum::of_fill(PATTERN, SIZE / 4);
    for (kind, _) in kinds() {
        let buf = receive(given(kind)?)?;
        let by_cpu = buf.access(Cpu::Reads, |map| map.checksum(0..map.len()))?;
        same(kind, by_cpu, sum)?;
        let rig = Rig::new()?;
        let bo = Bo::import(&rig.device, &buf)?;
        drop(buf);
        same(kind, rig.checksum(&bo)?, sum)?;
        rig.fill(&bo, 1)?;
        let sum = rgt::checksum::of_fill(1, SIZE / 4);
        same(kind, rig.checksum(&bo)?, sum)?;
    }
    Ok(())
}

fn it_lives_in_the_socket() -> Outcome {
    let socket = given("VRAM or GTT")?;
    // The giver's own memory is freed some time after its end.
    thread::sleep(Duration::from_secs(1));
    let map = receive(socket)?.map()?;
    let sum = rgt::checksum::of_fill(PATTERN, SIZE / 4);
    same("sum", map.checksum(0..map.len()), sum)
}

/// Bytes in use of what the GPU sees.
fn in_use() -> Result<u64> {
    let regions = Device::open()?.regions()?;
    let seen = regions
        .iter()
        .filter(|region| [RegionKind::Gtt, RegionKind::Vram].contains(&region.kind));
    Ok(seen.map(|region| region.used).sum())
}

fn it_goes_with_its_last_file() -> Outcome {
    each(kinds().map(|(kind, _)| (kind, kind)), |kind| {
        let (before, bytes) = (Used::now()?, in_use()?);
        // It is never taken out of the socket.
        drop(given(kind)?);
        before.wait_until_back()?;

        let fd = receive_fd(&given(kind)?)?;
        let now = in_use()?;
        ensure!(now >= bytes + SIZE, "it is gone: {now} bytes in use");
        drop(fd);
        before.wait_until_back()
    })
}
