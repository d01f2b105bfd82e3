// SPDX-License-Identifier: GPL-2.0

//! Which client has what.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use drm::buffer::Handle;
use drm::control::Device as _;
use rgt::{Bo, Device};

use super::files::{Debugfs, FdInfo};
use crate::expect::same;
use crate::harness::{Helper, Outcome, Test, tests};
use crate::rig::{MIB, PATIENCE, Rig};

pub(super) const TESTS: &[Test] = tests![
    bos_of_another_process,
    bos_shared_by_two_clients,
    bos_of_one_client_only,
];

/// The helper that makes BOs and keeps them.
pub(crate) const HOLDER: &str = "hold";

/// How many it makes, and of how many bytes each.
const HELD: u64 = 5;
const SIZE: u64 = MIB;

/// The helper.
pub(crate) fn hold() -> Outcome {
    let rig = Rig::new()?;
    let mut bos = Vec::new();
    for pattern in 0..HELD {
        let bo = rig.vram(SIZE)?;
        rig.fill(&bo, pattern as u32)?;
        bos.push(bo);
    }
    thread::sleep(2 * PATIENCE);
    bail!("the holder of {} BOs was not killed", bos.len());
}

/// Waits until this many BOs of a process are there, with memory. Gives their clients.
fn wait_for(debugfs: &Debugfs, pid: u32, count: u64) -> Result<Vec<u64>> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut lines = debugfs.lines("bos")?;
        lines.retain(|line| {
            line.number("pid").is_ok_and(|number| number == pid.into())
                && line.number("size").is_ok_and(|size| size == SIZE)
                && line.number("resident").is_ok_and(|resident| resident == 1)
        });
        if lines.len() as u64 == count {
            return lines.iter().map(|line| line.number("client")).collect();
        }
        if Instant::now() > deadline {
            bail!("{count} BOs of process {pid} expected, found {lines:?}");
        }
        thread::sleep(Duration::from_millis(100));
    }
}

fn bos_of_another_process() -> Outcome {
    let rig = Rig::new()?;
    let debugfs = Debugfs::of(&rig.device)?;
    let own = FdInfo::of(&rig.device)?.number("drm-client-id")?;
    let before = debugfs.bos_of(own)?.len();

    let holders = [Helper::start(HOLDER, &[])?, Helper::start(HOLDER, &[])?];
    let mut clients = Vec::new();
    for holder in &holders {
        let mut seen = wait_for(&debugfs, holder.pid(), HELD)?;
        seen.dedup();
        same("clients of a process", seen.len(), 1)?;
        clients.extend(seen);
    }
    clients.push(own);
    clients.sort_unstable();
    clients.dedup();
    same("clients", clients.len(), 3)?;
    same("own BOs", debugfs.bos_of(own)?.len(), before)?;

    for holder in holders {
        let pid = holder.pid();
        holder.kill()?;
        wait_for(&debugfs, pid, 0)?;
    }
    Ok(())
}

/// A BO that one client makes and two have is shared for both, and in the list once.
fn bos_shared_by_two_clients() -> Outcome {
    let (one, other) = (Rig::new()?, Rig::new()?);
    let debugfs = Debugfs::of(&one.device)?;
    let total = |device: &Device| FdInfo::of(device)?.memory("vram");
    let size = 13 * MIB;
    let before = total(&other.device)?;
    let bo = one.vram(size)?;
    one.fill(&bo, 1)?;
    same("alone", total(&one.device)?, (size, 0, size))?;

    let handle = Handle::from(std::num::NonZeroU32::new(bo.handle()).context("a handle")?);
    let buf = Card(&one.device).buffer_to_prime_fd(handle, drm::CLOEXEC)?;
    same("exported", total(&one.device)?, (size, size, size))?;
    let imported = Card(&other.device).prime_fd_to_buffer(std::os::fd::AsFd::as_fd(&buf))?;
    drop(buf);
    same("of the one", total(&one.device)?, (size, size, size))?;
    let (all, shared, resident) = total(&other.device)?;
    same(
        "of the other",
        (all - before.0, shared - before.1, resident - before.2),
        (size, size, size),
    )?;
    same("listed as shared", debugfs.bo(&bo)?.number("shared")?, 1)?;

    let client = FdInfo::of(&one.device)?.number("drm-client-id")?;
    let id = debugfs.bo(&bo)?.text("bo")?.to_owned();
    drop(bo);
    same("of the one that closed it", total(&one.device)?, (0, 0, 0))?;
    same(
        "of the one that has it",
        total(&other.device)?.0,
        before.0 + size,
    )?;
    // Who made it stays known.
    let line = debugfs.line("bos", "bo", &id)?;
    same("its maker", line.number("client")?, client)?;
    Card(&other.device).close_buffer(imported)?;
    same("of the other client", total(&other.device)?, before)?;
    same(
        "still listed",
        debugfs.line("bos", "bo", &id).is_ok(),
        false,
    )
}

fn bos_of_one_client_only() -> Outcome {
    let rigs = [Rig::new()?, Rig::new()?];
    let bos: Vec<Bo> = [3, 5]
        .iter()
        .zip(&rigs)
        .map(|(size, rig)| rig.vram(size * MIB))
        .collect::<Result<_>>()?;
    for (bo, rig) in bos.iter().zip(&rigs) {
        rig.fill(bo, 1)?;
        same(
            "in VRAM",
            FdInfo::of(&rig.device)?.memory("vram")?,
            (bo.size(), 0, bo.size()),
        )?;
    }
    Ok(())
}

/// A device for the calls that DRM has for all drivers.
struct Card<'a>(&'a Device);

impl std::os::fd::AsFd for Card<'_> {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl drm::Device for Card<'_> {}
impl drm::control::Device for Card<'_> {}
