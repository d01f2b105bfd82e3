// SPDX-License-Identifier: GPL-2.0

//! Pages of VRAM that go bad: their users are told, and they are not given out again.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rgt::{Bo, BoFlags, Cause, Context, FaultReason, Placement, Priority, RegionKind};
use rustix::io::Errno;

use super::failing;
use crate::expect::same;
use crate::harness::{Control, End, Outcome, Test, in_child, tests};
use crate::rig::{MIB, PAGE, Rig};
use crate::suites::observe::{Debugfs, FdInfo, Line};

pub(super) const TESTS: &[Test] = tests![
    who_had_it_is_told,
    a_job_that_reads_it_knows_why,
    it_is_not_given_out_again,
    page_tables_move_away,
];

/// How long the driver may take to hear of it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client of the GPU that fails.
struct Client {
    rig: Rig,
    number: usize,
    debugfs: Debugfs,
    control: Control,
}

impl Client {
    fn new() -> Result<Self> {
        let (device, number) = failing()?;
        Ok(Self {
            rig: Rig::on(&device)?,
            number,
            debugfs: Debugfs::of(&device)?,
            control: Control::open()?,
        })
    }

    /// A BO in one piece of VRAM, full of a pattern. No other one of the client is of this size.
    fn bo(&self, pages: u64, pattern: u32) -> Result<Bo> {
        let bo = self.rig.bo(pages * PAGE, |bo| {
            bo.placement(Placement::VRAM)
                .flags(BoFlags::CPU_ACCESS | BoFlags::CONTIGUOUS)
        })?;
        self.rig.fill(&bo, pattern)?;
        Ok(bo)
    }

    /// Makes a page of such a BO go bad, and waits until the driver knows. Its offset in VRAM.
    fn spoil(&mut self, bo: &Bo, page: u64) -> Result<u64> {
        let offset = self.debugfs.bo(bo)?.number("offset")? + page * PAGE;
        let command = format!("poison {} {} 1", self.number, offset + 17);
        self.control.send(&command)?;
        self.until(offset, |_| true)?;
        Ok(offset)
    }

    /// Waits until what the driver knows of a bad page is so.
    fn until(&self, offset: u64, is_so: impl Fn(&Line) -> bool) -> Outcome {
        let deadline = Instant::now() + PATIENCE;
        let offset = offset.to_string();
        loop {
            let line = self.debugfs.line("bad_pages", "offset", &offset);
            if line.as_ref().is_ok_and(&is_so) {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "after {PATIENCE:?}: {line:?}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The state of a context, as debugfs has it.
    fn state(&self, context: &Context) -> Result<String> {
        let client = FdInfo::of(&self.rig.device)?.number("drm-client-id")?;
        let is_it = |line: &&Line| {
            line.number("client").is_ok_and(|number| number == client)
                && line
                    .number("context")
                    .is_ok_and(|id| id == context.id().into())
        };
        let lines = self.debugfs.lines("contexts")?;
        let line = lines.iter().find(is_it).context("not in debugfs")?;
        Ok(line.text("state")?.to_owned())
    }

    fn until_retired(&self, offset: u64) -> Outcome {
        self.until(offset, |line| line.number("in_use").is_ok_and(|it| it == 0))
    }
}

fn who_had_it_is_told() -> Outcome {
    let mut client = Client::new()?;
    let victim = client.bo(7, 5)?;
    let other = client.bo(9, 6)?;
    let (map, others_map) = (victim.map()?, other.map()?);
    same("before", (map.read(0), others_map.read(0)), (5, 6))?;
    let offset = client.spoil(&victim, 3)?;
    client.until_retired(offset)?;

    // By every way that there is to it, and not only to the page.
    let read = in_child(|| map.read(0) as u8)?;
    same("the CPU's read", read, End::Signal(libc::SIGBUS))?;
    let error = client.rig.fill(&victim, 1).unwrap_err();
    let errno = error
        .downcast_ref::<rgt::Error>()
        .and_then(rgt::Error::errno);
    same("the GPU's write", errno, Some(Errno::IO))?;
    let line = client.debugfs.bo(&victim)?;
    same("lost", line.number("lost")?, 1)?;
    same("its place", line.text("place")?, "none")?;

    same("what the other has", others_map.read(8 * PAGE as usize), 6)?;
    client.rig.fill(&other, 8)?;
    same("what it gets", others_map.read(0), 8)?;
    same("lost", client.debugfs.bo(&other)?.number("lost")?, 0)
}

/// A job that is to read the BO when it loses its page: the fault is none of its doing.
fn a_job_that_reads_it_knows_why() -> Outcome {
    let mut client = Client::new()?;
    let victim = client.bo(11, 5)?;
    let result = client.rig.gtt(PAGE)?;
    client.rig.fill(&result, 77)?;
    let context = Context::create(&client.rig.device, Priority::Normal)?;
    let mut at = 0;
    let job = client.rig.held(client.rig.copy, |work| {
        work.context(&context);
        at = work.reads(&victim)?;
        let to = work.writes(&result)?;
        work.commands.copy(at + 2 * PAGE, to, 4)?;
        Ok(())
    })?;
    let offset = client.spoil(&victim, 2)?;
    let in_use = client
        .debugfs
        .line("bad_pages", "offset", &offset.to_string())?;
    same("in use", in_use.number("in_use")?, 1)?;
    job.finish()?;

    let verdict = context.status()?;
    let Some(Cause::BadMemory(fault)) = verdict.cause else {
        anyhow::bail!("the cause: {verdict:?}")
    };
    let found = (fault.reason, fault.address, verdict.guilty);
    same(
        "the fault",
        found,
        (FaultReason::Poisoned, at + 2 * PAGE, false),
    )?;
    let state = client.state(&context)?;
    same("its state in debugfs", state.as_str(), "innocent")?;
    same("what it read", result.map()?.read(0), 77)?;
    client.until_retired(offset)
}

/// All of VRAM is given out, several times over, and all that is read of it is there.
fn it_is_not_given_out_again() -> Outcome {
    const SIZE: u64 = 8 * MIB;
    let mut client = Client::new()?;
    let victim = client.bo(13, 5)?;
    let offset = client.spoil(&victim, 12)?;
    client.until_retired(offset)?;
    drop(victim);

    let rig = &client.rig;
    let region = rig.device.region(RegionKind::Vram)?;
    let vram = region.context("there is VRAM")?.size;
    let own = |size| rig.vram(size);
    let bos: Vec<_> = (0..(vram + vram / 4) / SIZE)
        .map(|_| own(SIZE))
        .collect::<Result<_>>()?;
    let mut wanted = None;
    for round in 0..2 {
        for (number, bo) in bos.iter().enumerate() {
            rig.fill(bo, 3).with_context(|| format!("BO {number}"))?;
            let sum = rig.checksum(bo)?;
            let wanted = *wanted.get_or_insert(sum);
            ensure!(sum != 0, "BO {number} cannot be read, round {round}");
            same("the sum of a BO", sum, wanted)?;
        }
    }
    let pages = client.debugfs.lines("bad_pages")?;
    ensure!(pages.len() >= 3, "bad pages were forgotten: {pages:?}");
    Ok(())
}

/// Pages go bad that hold page tables of a client, whose mappings stay.
fn page_tables_move_away() -> Outcome {
    const SPOILT: u64 = 16 * PAGE;
    let mut client = Client::new()?;
    let bo = client.rig.gtt(PAGE)?;
    client.rig.fill(&bo, 3)?;
    let sum = client.rig.checksum(&bo)?;
    let used = client.debugfs.page_tables()?.number("used")?;
    ensure!((3 * PAGE..SPOILT).contains(&used), "{used} bytes are used");

    // The first ones that are free are taken first.
    let command = format!("poison {} 0 {SPOILT}", client.number);
    client.control.send(&command)?;
    let deadline = Instant::now() + PATIENCE;
    while client.debugfs.page_tables()?.number("bad")? != SPOILT {
        ensure!(Instant::now() < deadline, "not known after {PATIENCE:?}");
        thread::sleep(Duration::from_millis(20));
    }

    same("the checksum", client.rig.checksum(&bo)?, sum)?;
    client.rig.fill(&bo, 4)?;
    same("what was written", bo.map()?.read(0), 4)?;
    let other = client.rig.gtt(PAGE)?;
    client.rig.fill(&other, 5)?;
    same("with new tables", other.map()?.read(0), 5)?;
    let usage = client.debugfs.page_tables()?;
    ensure!(usage.number("used")? >= 3 * PAGE, "no tables: {usage:?}");
    Ok(())
}
