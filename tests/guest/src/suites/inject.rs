// SPDX-License-Identifier: GPL-2.0

//! Every allocation of every call fails once: the call says so, and leaves nothing behind.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rgt::{BindOp, Bo, Vm};
use rustix::io::Errno;

use crate::harness::{Outcome, Suite, Used, tests};
use crate::rig::{HIDDEN, MIB, PAGE, Rig, SHARED, SYSTEM, Work};

pub(super) const SUITE: Suite = Suite {
    name: "inject",
    tests: &[tests![
        create_and_close,
        address_spaces,
        bind_and_split,
        first_use_by_jobs,
        eviction,
        no_leak
    ]],
};

const FAIL_NTH: &str = "/proc/thread-self/fail-nth";
const LEAKS: &str = "/sys/kernel/debug/kmemleak";
/// More allocations than any call makes.
const MOST: u32 = 2000;

/// Sets the kernel's fault injection up; false for a kernel without.
fn set_up() -> Result<bool> {
    if !Path::new(FAIL_NTH).exists() {
        return Ok(false);
    }
    for kind in ["failslab", "fail_page_alloc"] {
        let knob = |name: &str, value: &str| {
            let path = format!("/sys/kernel/debug/{kind}/{name}");
            fs::write(&path, value).with_context(|| path)
        };
        // Allocations that may wait fail, too, and the log does not tell of each.
        knob("ignore-gfp-wait", "N")?;
        knob("verbose", "0")?;
    }
    fs::write("/sys/kernel/debug/fail_page_alloc/min-order", "0")?;
    Ok(true)
}

/// Which of this thread's next allocations fails.
struct FailNth(File);

impl FailNth {
    fn open() -> Result<Self> {
        let file = File::options().read(true).write(true).open(FAIL_NTH)?;
        Ok(Self(file))
    }

    fn set(&self, nth: u32) -> Result<()> {
        self.0.write_all_at(nth.to_string().as_bytes(), 0)?;
        Ok(())
    }

    /// Whether it has not come to that yet. Must not allocate.
    fn is_left(&self) -> Result<bool> {
        let mut digits = [0; 16];
        let len = self.0.read_at(&mut digits, 0)?;
        Ok(digits[..len].trim_ascii() != b"0")
    }
}

/// Runs `call` with its first allocation failing, then with its second, until all succeed. It gets
/// what `prepare` made, and leaves there what it makes; that is dropped when nothing fails.
fn each_allocation<P>(
    mut prepare: impl FnMut() -> Result<P>,
    mut call: impl FnMut(&mut P) -> Result<()>,
) -> Outcome {
    if !set_up()? {
        return Ok(());
    }
    let before = Used::now()?;
    let fail_nth = FailNth::open()?;
    for nth in 1..MOST {
        let mut prepared = prepare()?;
        fail_nth.set(nth)?;
        let result = call(&mut prepared);
        let left = fail_nth.is_left();
        fail_nth.set(0)?;
        drop(prepared);

        if left? {
            result.context("without a failure")?;
            ensure!(nth > 1, "there was no allocation");
            return before.wait_until_back();
        }
        if let Err(error) = result {
            let errno = error
                .downcast_ref::<rgt::Error>()
                .and_then(rgt::Error::errno);
            ensure!(
                matches!(errno, Some(Errno::NOMEM | Errno::NOSPC)),
                "allocation {nth}: {error:#}"
            );
        }
    }
    bail!("{MOST} allocations, and no end")
}

fn create_and_close() -> Outcome {
    let rig = Rig::new()?;
    for make in [SHARED[0].1, SHARED[2].1, SYSTEM] {
        each_allocation(
            || Ok(None),
            |bo| {
                *bo = Some(make(Bo::builder(4 * PAGE)).create(&rig.device)?);
                Ok(())
            },
        )?;
    }
    each_allocation(
        || Ok(None),
        |bo| {
            *bo = Some(Bo::builder(PAGE).private(&rig.vm).create(&rig.device)?);
            Ok(())
        },
    )
}

fn address_spaces() -> Outcome {
    let rig = Rig::new()?;
    each_allocation(
        || Ok(None),
        |vm| {
            *vm = Some(Vm::create(&rig.device)?);
            Ok(())
        },
    )
}

fn bind_and_split() -> Outcome {
    let rig = Rig::new()?;
    let bo = rig.vram(4 * MIB)?;
    let range = rig.vm.reserve(4 * MIB)?;
    each_allocation(
        || Ok(rig.vm.bind(&[BindOp::unmap(range.addr(), range.size())])?),
        |()| {
            let map = BindOp::map(&bo, 0, range.addr(), range.size());
            rig.vm.bind(&[map])?;
            rig.vm.bind(&[BindOp::unmap(range.addr() + MIB, MIB)])?;
            Ok(())
        },
    )
}

fn first_use_by_jobs() -> Outcome {
    let rig = Rig::new()?;
    for make in [SHARED[0].1, SHARED[2].1, HIDDEN] {
        each_allocation(
            || {
                let bo = rig.bo(64 * PAGE, make)?;
                Ok((filling(&rig, &bo)?, bo))
            },
            |(work, _)| work.submit(),
        )?;
    }
    Ok(())
}

/// A job that fills a BO.
fn filling(rig: &Rig, bo: &Bo) -> Result<Work> {
    let mut work = rig.work(rig.copy)?;
    let to = work.writes(bo)?;
    work.commands.fill(to, bo.size(), 7)?;
    Ok(work)
}

/// More small BOs than fit into VRAM, used in turn, so that each makes the oldest one move.
fn eviction() -> Outcome {
    let rig = Rig::new()?;
    let vram = rig
        .device
        .region(rgt::RegionKind::Vram)?
        .context("there is VRAM")?;
    let bos = (0..vram.size / MIB + 4)
        .map(|_| rig.vram(MIB))
        .collect::<Result<Vec<_>>>()?;
    for bo in &bos {
        rig.fill(bo, 1)?;
    }
    let mut turns = bos.iter().cycle();
    each_allocation(
        || filling(&rig, turns.next().context("it never ends")?),
        Work::submit,
    )
}

/// Nothing that a failed call had is still allocated.
fn no_leak() -> Outcome {
    if !set_up()? || !Path::new(LEAKS).exists() {
        return Ok(());
    }
    for _ in 0..2 {
        // What was allocated just now is not looked at.
        thread::sleep(Duration::from_secs(6));
        fs::write(LEAKS, "scan")?;
    }
    let leaks = fs::read_to_string(LEAKS)?;
    ensure!(leaks.is_empty(), "{leaks}");
    Ok(())
}
