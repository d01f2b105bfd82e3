// SPDX-License-Identifier: GPL-2.0

//! The kernel's fault injection.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use rustix::io::Errno;

use crate::harness::{Outcome, Used, skip};

const DEBUGFS: &str = "/sys/kernel/debug";
/// TTM's own injection: it backs up half of a BO, or is interrupted while it restores one.
const TTM: &str = "ttm/backup_fault_inject";
const FAIL_NTH: &str = "/proc/thread-self/fail-nth";
/// More allocations than any call makes.
const MOST: u32 = 2000;

/// Sets a value of one kind of injected faults.
fn knob(kind: &str, name: &str, value: &str) -> Result<()> {
    let path = format!("{DEBUGFS}/{kind}/{name}");
    fs::write(&path, value).with_context(|| path)
}

/// Sets the kernel's fault injection up; a kernel without skips the test.
fn set_up() -> Outcome {
    if !Path::new(FAIL_NTH).exists() {
        return skip("this kernel has no fault injection");
    }
    for kind in ["failslab", "fail_page_alloc"] {
        // Allocations that may wait fail, too, and the log does not tell of each.
        knob(kind, "ignore-gfp-wait", "N")?;
        knob(kind, "verbose", "0")?;
    }
    knob("fail_page_alloc", "min-order", "0")?;
    knob("fail_usercopy", "verbose", "0")?;
    if Path::new(DEBUGFS).join(TTM).exists() {
        knob(TTM, "verbose", "0")?;
    }
    Ok(())
}

/// Which of this thread's next allocations, and copies from and to user space, fails.
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

    /// Has nothing fail from here on, and returns whether it has not come to that yet. Must not
    /// allocate.
    fn end(&self) -> Result<bool> {
        let mut digits = [0; 16];
        let is_left = match self.0.read_at(&mut digits, 0) {
            Ok(len) => digits[..len].trim_ascii() != b"0",
            // It was the turn of this copy.
            Err(error) if error.raw_os_error() == Some(libc::EFAULT) => true,
            Err(error) => return Err(error.into()),
        };
        // Or of this one.
        self.set(0).or_else(|_| self.set(0))?;
        Ok(is_left)
    }
}

/// Runs `call` with its first allocation failing, then with its second, until all succeed. Copies from
/// and to user space fail in turn, too. It gets
/// what `prepare` made, and leaves there what it makes; that is dropped when nothing fails. In the
/// end as much memory must be in use as before.
pub(super) fn each_allocation<P>(
    prepare: impl FnMut() -> Result<P>,
    call: impl FnMut(&mut P) -> Result<()>,
) -> Outcome {
    let before = Used::now()?;
    some_failed(each_allocation_checked(prepare, call, |_| Ok(())))?;
    before.wait_until_back()
}

/// That a call had allocations that could fail.
pub(super) fn some_failed(failures: Result<u32>) -> Outcome {
    ensure!(failures? != 0, "there was no allocation");
    Ok(())
}

/// As [`each_allocation()`], wherever BOs are in the end. After each failure `check` looks at what
/// was prepared, when nothing fails any more. Gives how often something failed; a kernel where
/// nothing can skips the test.
pub(super) fn each_allocation_checked<P>(
    mut prepare: impl FnMut() -> Result<P>,
    mut call: impl FnMut(&mut P) -> Result<()>,
    mut check: impl FnMut(&mut P) -> Result<()>,
) -> Result<u32> {
    set_up()?;
    let fail_nth = FailNth::open()?;
    for nth in 1..MOST {
        let mut prepared = prepare()?;
        fail_nth.set(nth)?;
        let result = call(&mut prepared);
        let left = fail_nth.end();
        check(&mut prepared).with_context(|| format!("allocation {nth}"))?;
        drop(prepared);

        if left? {
            result.context("without a failure")?;
            return Ok(nth - 1);
        }
        if let Err(error) = result {
            let errno = error
                .downcast_ref::<rgt::Error>()
                .and_then(rgt::Error::errno);
            ensure!(
                matches!(errno, Some(Errno::NOMEM | Errno::NOSPC | Errno::FAULT)),
                "allocation {nth}: {error:#}"
            );
        }
    }
    bail!("{MOST} allocations, and no end")
}

/// TTM's own injection, while this lives.
pub(super) struct TtmFaults(());

impl TtmFaults {
    /// A kernel without skips the test.
    pub(super) fn new() -> Result<Self> {
        if !Path::new(DEBUGFS).join(TTM).exists() {
            return skip("this kernel has no faults of TTM's own");
        }
        Ok(Self(()))
    }

    /// One of so many times.
    pub(super) fn set(&self, interval: u32) -> Result<()> {
        knob(TTM, "verbose", "0")?;
        knob(TTM, "times", "-1")?;
        knob(TTM, "interval", &interval.to_string())?;
        knob(TTM, "probability", "100")
    }
}

impl Drop for TtmFaults {
    fn drop(&mut self) {
        // Where it was set it can be set back.
        let _ = knob(TTM, "probability", "0");
    }
}
