// SPDX-License-Identifier: GPL-2.0

//! The kernel's fault injection.

use std::fs::{self, File};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use rustix::io::Errno;

use super::symbols;
use crate::harness::{Length, Outcome, Used, counted, skip};

const DEBUGFS: &str = "/sys/kernel/debug";
/// TTM's own injection: it backs up half of a BO, or is interrupted while it restores one.
const TTM: &str = "ttm/backup_fault_inject";
const FAIL_NTH: &str = "/proc/thread-self/fail-nth";
/// The kinds of injected faults, by their folders in debugfs.
const KINDS: [&str; 3] = [SLAB, PAGES, "fail_usercopy"];
const SLAB: &str = "failslab";
const PAGES: &str = "fail_page_alloc";
/// More allocations than any call makes.
const MOST: u32 = 5000;

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
    for kind in KINDS {
        // The log does not tell of each.
        knob(kind, "verbose", "0")?;
    }
    // Allocations that may wait fail, too.
    knob(SLAB, "ignore-gfp-wait", "N")?;
    knob(PAGES, "ignore-gfp-wait", "N")?;
    knob(PAGES, "min-order", "0")?;
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

/// How many calls failed on purpose in a test.
pub(super) struct Failures(u32);

impl Failures {
    /// Runs a test in which something must fail so often. That is told. A kernel where nothing can
    /// fail skips the test.
    ///
    /// The number is that of allocations and copies which the calls of the test come to, each once:
    /// it falls if the test does not come there any more, or if something else ends it too early. It
    /// is not the same in each run, but half or twice that: a cache of the allocator may be empty, and
    /// a page a large one.
    pub(super) fn at_least(least: u32, test: impl FnOnce(&mut Failures) -> Outcome) -> Outcome {
        set_up()?;
        let _checkers = Region::not_in_checkers()?;
        let mut failures = Self(0);
        test(&mut failures)?;
        counted("failures", failures.0.into());
        ensure!(failures.0 >= least, "{} failures, of {least}", failures.0);
        Ok(())
    }

    /// Runs `call` with its first allocation failing, then with its second, until all succeed.
    /// Copies from and to user space fail in turn, too. It gets what `prepare` made, and leaves
    /// there what it makes; that is dropped when nothing fails. In the end as much memory must be in
    /// use as before.
    pub(super) fn each_allocation<P>(
        &mut self,
        prepare: impl FnMut() -> Result<P>,
        call: impl FnMut(&mut P) -> Result<()>,
    ) -> Outcome {
        let before = Used::now()?;
        self.each_allocation_checked(prepare, call, |_| Ok(()))?;
        before.wait_until_back()
    }

    /// As [`Self::each_allocation`], wherever BOs are in the end. After each failure `check` looks
    /// at what was prepared, when nothing fails any more.
    pub(super) fn each_allocation_checked<P>(
        &mut self,
        prepare: impl FnMut() -> Result<P>,
        call: impl FnMut(&mut P) -> Result<()>,
        check: impl FnMut(&mut P) -> Result<()>,
    ) -> Outcome {
        let done = in_turn(|nth| nth + 1, prepare, call, check)?;
        ensure!(done.failed != 0, "there was no allocation");
        self.0 += done.failed;
        Ok(())
    }

    /// As [`Self::each_allocation_checked`], for calls that take long and allocate much, at `least`
    /// so often: the short form leaves out more and more.
    pub(super) fn some_allocations<P>(
        &mut self,
        least: u32,
        prepare: impl FnMut() -> Result<P>,
        call: impl FnMut(&mut P) -> Result<()>,
        check: impl FnMut(&mut P) -> Result<()>,
    ) -> Outcome {
        let next = |nth| nth + 1 + Length::choose(nth / 8, 0);
        let done = in_turn(next, prepare, call, check)?;
        counted("allocations", done.allocations.into());
        ensure!(
            done.allocations >= least,
            "{} allocations, of {least}",
            done.allocations
        );
        self.0 += done.failed;
        Ok(())
    }
}

/// Tests out of the names of their functions, each with how often something fails in it at least, and a
/// time limit if it is not [`LIMIT`](crate::harness::LIMIT).
macro_rules! failing {
    ($limit:expr; $($name:ident: $least:literal),* $(,)?) => {
        &[$($crate::harness::Test {
            name: stringify!($name),
            run: || $crate::suites::inject::fail::Failures::at_least($least, $name),
            limit: $limit,
        }),*]
    };
    ($($name:ident: $least:literal),* $(,)?) => {
        $crate::suites::inject::fail::failing![$crate::harness::LIMIT; $($name: $least),*]
    };
}
pub(super) use failing;

/// What a call went through.
struct Done {
    /// How often it failed.
    failed: u32,
    /// How many allocations and copies it came to, or some more where not each was tried.
    allocations: u32,
}

/// Has one allocation or copy of a call fail, the first one first.
fn in_turn<P>(
    next: impl Fn(u32) -> u32,
    mut prepare: impl FnMut() -> Result<P>,
    mut call: impl FnMut(&mut P) -> Result<()>,
    mut check: impl FnMut(&mut P) -> Result<()>,
) -> Result<Done> {
    let fail_nth = FailNth::open()?;
    let mut nth = 1;
    for failed in 0.. {
        ensure!(nth < MOST, "{MOST} allocations, and no end");
        let mut prepared = prepare()?;
        fail_nth.set(nth)?;
        let result = call(&mut prepared);
        let left = fail_nth.end();
        check(&mut prepared).with_context(|| format!("allocation {nth}"))?;
        drop(prepared);

        if left? {
            result.context("without a failure")?;
            let allocations = nth - 1;
            return Ok(Done {
                failed,
                allocations,
            });
        }
        if let Err(error) = result {
            ensure!(
                matches!(
                    errno(&error),
                    Some(Errno::NOMEM | Errno::NOSPC | Errno::FAULT)
                ),
                "allocation {nth}: {error:#}"
            );
        }
        nth = next(nth);
    }
    unreachable!("it ends before numbers do")
}

/// Returns the errno of a failed call, of the library or of the system.
fn errno(error: &anyhow::Error) -> Option<Errno> {
    if let Some(error) = error.downcast_ref::<rgt::Error>() {
        return error.errno();
    }
    let error = error.downcast_ref::<std::io::Error>()?;
    error.raw_os_error().map(Errno::from_raw_os_error)
}

/// Code of the kernel's at which allocations fail, or do not, while this lives.
pub(super) struct Region(&'static str);

impl Region {
    /// Only what the driver has called fails.
    pub(super) fn only_the_driver() -> Result<Self> {
        Self::new("require", symbols::of_driver()?)
    }

    /// Nothing fails that a function of the kernel's has called, for one function at a time: this one
    /// takes the place of another.
    pub(super) fn not_in(function: &str) -> Result<Self> {
        Self::new("reject", symbols::of_function(function)?)
    }

    /// DMA-debug, where the kernel has it, keeps its memory: at the first failure it switches itself
    /// off.
    fn not_in_checkers() -> Result<Option<Self>> {
        let is_on = Path::new(DEBUGFS).join("dma-api").exists();
        is_on.then(|| Self::not_in("add_dma_entry")).transpose()
    }

    fn new(kind: &'static str, at: Range<u64>) -> Result<Self> {
        let this = Self(kind);
        this.set(&format!("{:#x}", at.start), &format!("{:#x}", at.end))?;
        Ok(this)
    }

    fn set(&self, start: &str, end: &str) -> Result<()> {
        for kind in KINDS {
            knob(kind, &format!("{}-start", self.0), start)?;
            knob(kind, &format!("{}-end", self.0), end)?;
        }
        Ok(())
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        let end = match self.0 {
            "require" => "0xffffffffffffffff",
            _ => "0",
        };
        // Where it was set it can be set back.
        let _ = self.set("0", end);
    }
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
