// SPDX-License-Identifier: GPL-2.0

//! Implicit sync between two processes that share a BO. They take turns to submit; what keeps
//! their jobs in order is the BO alone.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::process;
use std::time::{Duration, Instant};
use std::{num::NonZeroU32, thread};

use anyhow::{Context as _, Result, ensure};
use drm::control::Device as _;
use rgt::uapi::{
    DRM_RGT_CS_BO_WRITE, DRM_RGT_VM_BIND_OP_MAP, drm_rgt_cs, drm_rgt_cs_bo, drm_rgt_cs_ib,
    drm_rgt_gem_mmap_offset, drm_rgt_vm_bind, drm_rgt_vm_bind_op,
};
use rgt::{Binding, Bo, CommandBuffer, Device, Engine, Mapping, checksum};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use crate::expect::{raw, same};
use crate::harness::{Helper, Outcome, Test, tests};
use crate::rig::{MIB, PAGE, PATIENCE, Rig};

pub(super) const TESTS: &[Test] = tests![two_processes];

/// The helper that reads what the test writes, and writes what the test reads.
pub(crate) const PARTNER: &str = "partner";

const SIZE: u64 = MIB;
const ROUNDS: u32 = 12;
const LIMIT: Duration = Duration::from_secs(120);

/// Whose turn it is, where both see it: turns have numbers from 0, the test's are even.
struct Turns(Mapping);

impl Turns {
    fn wait(&self, turn: u32) -> Outcome {
        let deadline = Instant::now() + PATIENCE;
        while self.0.read(0) != turn {
            ensure!(Instant::now() < deadline, "turn {turn} does not come");
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    fn over(&self, turn: u32) {
        self.0.write(0, turn + 1);
    }
}

/// What is written in a round, first by the test and then by its partner.
fn values(round: u32) -> (u32, u32) {
    (0x1_0000 + round, 0x2_0000 + round)
}

fn two_processes() -> Outcome {
    let rig = Rig::new()?;
    let (bo, turns) = (rig.vram(SIZE)?, rig.gtt(PAGE)?);
    let target = rig.gtt(SIZE)?;
    let files = [export(&bo)?, export(&turns)?];
    let mut arguments = vec![process::id().to_string()];
    arguments.extend(files.iter().map(|file| file.as_raw_fd().to_string()));
    let turns = Turns(turns.map()?);
    let partner = Helper::start(PARTNER, &arguments)?;
    let mut works = Vec::new();
    for round in 0..ROUNDS {
        let (mine, theirs) = values(round);
        // After what the partner read and wrote in the last round.
        turns.wait(round * 2)?;
        if let Some(before) = round.checked_sub(1) {
            let mut reader = rig.work(rig.copy)?;
            let (from, to) = (reader.reads(&bo)?, reader.writes(&target)?);
            reader.commands.copy(from, to, SIZE)?;
            reader.submit()?;
            works.push((reader, values(before).1));
        }
        let mut writer = rig.work(rig.render)?;
        let to = writer.writes(&bo)?;
        for value in [0, theirs, mine] {
            writer.commands.fill(to, SIZE, value)?;
        }
        writer.submit()?;
        turns.over(round * 2);
        // What the last reader got must be looked at before the next one overwrites it.
        if let Some((mut reader, expected)) = works.pop() {
            reader.wait()?;
            let sum = target.map()?.checksum(0..SIZE as usize);
            same(
                "what the test read",
                sum,
                checksum::of_fill(expected, SIZE / 4),
            )?;
        }
        writer.wait()?;
    }
    partner.finish(LIMIT)
}

/// The helper: its arguments are the test's process and the numbers of its files.
pub(crate) fn take_part(arguments: &[&str]) -> Outcome {
    let [pid, bo, turns] = arguments else {
        anyhow::bail!("expected a process and two files")
    };
    let pid = Pid::from_raw(pid.parse()?).context("a process")?;
    let pid = pidfd_open(pid, PidfdFlags::empty())?;
    let file = |number: &str| -> Result<OwnedFd> {
        Ok(pidfd_getfd(
            &pid,
            number.parse()?,
            PidfdGetfdFlags::empty(),
        )?)
    };
    let rig = Rig::new()?;
    let bo = Imported::new(&rig, file(bo)?.as_fd(), SIZE)?;
    let turns = Turns(Imported::new(&rig, file(turns)?.as_fd(), PAGE)?.map(&rig)?);
    let target = rig.gtt(SIZE)?;
    let at = rig.vm.map(&target)?;
    for round in 0..ROUNDS {
        let (theirs, mine) = values(round);
        let mut commands = CommandBuffer::new(&rig.vm, 64)?;
        turns.wait(round * 2 + 1)?;
        commands.copy(bo.addr(), at.addr(), SIZE)?;
        bo.submit(&rig, rig.copy, &mut commands, Some(&target), 0)?;
        commands
            .fill(bo.addr(), SIZE, 0)?
            .fill(bo.addr(), SIZE, mine)?;
        bo.submit(&rig, rig.render, &mut commands, None, DRM_RGT_CS_BO_WRITE)?;
        turns.over(round * 2 + 1);
        commands.wait(PATIENCE)?;
        let sum = target.map()?.checksum(0..SIZE as usize);
        same(
            "what the partner read",
            sum,
            checksum::of_fill(theirs, SIZE / 4),
        )?;
    }
    Ok(())
}

/// A BO of another process.
struct Imported {
    handle: u32,
    at: Binding,
}

impl Imported {
    fn new(rig: &Rig, file: BorrowedFd<'_>, size: u64) -> Result<Self> {
        let handle: u32 = Card(&rig.device).prime_fd_to_buffer(file)?.into();
        let at = rig.vm.reserve(size)?;
        let op = drm_rgt_vm_bind_op {
            op: DRM_RGT_VM_BIND_OP_MAP,
            handle,
            addr: at.addr(),
            size,
            ..Default::default()
        };
        let bind = drm_rgt_vm_bind {
            vm_id: rig.vm.id(),
            op_count: 1,
            ops: &raw const op as u64,
            ..Default::default()
        };
        raw(&rig.device, bind)?;
        Ok(Self { handle, at })
    }

    fn addr(&self) -> u64 {
        self.at.addr()
    }

    fn map(&self, rig: &Rig) -> Result<Mapping> {
        let request = drm_rgt_gem_mmap_offset {
            handle: self.handle,
            ..Default::default()
        };
        let offset = raw(&rig.device, request)?.offset;
        Ok(Mapping::new(&rig.device, offset, self.at.size() as usize)?)
    }

    /// Submits what is in the buffer as a job that uses the BO, and perhaps writes another one.
    fn submit(
        &self,
        rig: &Rig,
        engine: Engine,
        commands: &mut CommandBuffer,
        other: Option<&Bo>,
        flags: u32,
    ) -> Outcome {
        let ib = commands.take();
        let ib = drm_rgt_cs_ib {
            addr: ib.addr,
            dwords: ib.dwords,
            flags: 0,
        };
        let mut bos = vec![drm_rgt_cs_bo {
            handle: self.handle,
            flags,
        }];
        bos.extend(other.map(|bo| drm_rgt_cs_bo {
            handle: bo.handle(),
            flags: DRM_RGT_CS_BO_WRITE,
        }));
        let job = drm_rgt_cs {
            vm_id: rig.vm.id(),
            engine: engine.id,
            ib_count: 1,
            bo_count: bos.len() as u32,
            ibs: &raw const ib as u64,
            bos: bos.as_ptr() as u64,
            ..Default::default()
        };
        raw(&rig.device, job)?;
        Ok(())
    }
}

fn export(bo: &Bo) -> Result<OwnedFd> {
    let handle = NonZeroU32::new(bo.handle()).context("a handle")?.into();
    Ok(Card(bo.device()).buffer_to_prime_fd(handle, drm::CLOEXEC | drm::RDWR)?)
}

/// A device for the calls that DRM has for all drivers.
struct Card<'a>(&'a Device);

impl AsFd for Card<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl drm::Device for Card<'_> {}
impl drm::control::Device for Card<'_> {}
