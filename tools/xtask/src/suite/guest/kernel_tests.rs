// SPDX-License-Identifier: GPL-2.0

//! The kernel's own tests of what the driver builds on: KUnit modules, and selftests out of the
//! kernel's source.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::guest::{Clock, Machine};
use crate::kernel::Kernel;
use crate::paths::Paths;
use crate::step::Step;

/// The guest that runs them on the debug kernel, and what chooses all of them.
pub(super) const NAME: &str = "kernel-tests";

/// The script that runs them in the guest.
const RUNNER: &str = "kernel-test";

/// Programs, and their folders below the kernel's selftests.
const PROGRAMS: &[(&str, &str)] = &[
    ("dmabuf-heap", "dmabuf-heaps"),
    ("sync_test", "sync"),
    ("udmabuf", "drivers/dma-buf"),
];

/// The guest that runs what looks at the time. A mock GPU takes a millisecond for a job, and a test
/// looks at a job that it has submitted: where that takes longer, the job is gone and so is the
/// kernel. So this is the plain kernel, and its clock counts instructions.
pub(super) const TIMED: Machine = Machine {
    name: "kernel-tests-timed",
    append: APPEND,
    clock: Clock::Instructions,
    limit: Duration::from_secs(600),
    ..Machine::DEFAULT
};

/// Has KUnit modules run their tests.
const APPEND: &[&str] = &["kunit.enable=1", "kunit.autorun=1"];

/// The guest on the debug kernel. A test of udmabuf maps 2 GiB of huge pages.
pub(super) const MACHINE: Machine = Machine {
    name: NAME,
    memory: 5120,
    append: APPEND,
    ..Machine::DEFAULT
};

/// The tests that run on the debug kernel.
pub(super) const SUITES: &[&str] = &["kunit-dma-buf", "selftest-heaps", "selftest-udmabuf"];

/// The tests that look at the time.
pub(super) const TIMED_SUITES: &[&str] = &["kunit-scheduler", "kunit-chains"];

/// The guest that runs what takes too long on the debug kernel, or is not for lockdep.
pub(super) const PLAIN: Machine = Machine {
    name: "kernel-tests-plain",
    append: APPEND,
    limit: Duration::from_secs(600),
    ..Machine::DEFAULT
};

/// The tests that take too long there, an allocator that is asked for each page of many sizes of
/// memory and threads that wake each other a hundred thousand times; and those of TTM, one of which
/// is a deadlock.
pub(super) const PLAIN_SUITES: &[&str] = &["kunit-buddy", "selftest-sync", TTM];

const TTM: &str = "kunit-ttm";

/// Where the kernel warns of what tests do to it on purpose, by the suite that does.
const PROVOKED: &[(&str, &str)] = &[
    (TTM, "ttm_device_init+"),
    (TTM, "ttm_bo_reserve_no_wait_ticket+"),
    // An interrupt that had no memory for its folder in /proc is freed.
    ("inject-device", "remove_proc_entry+"),
];

/// Whether a complaint of the kernel is what a suite wants to see, by the suite's name in the report.
pub(super) fn is_provoked(label: &str, title: &str) -> bool {
    let suite = label.rsplit('/').next();
    PROVOKED
        .iter()
        .any(|(by, place)| suite == Some(by) && title.contains(place))
}

/// The command for one of the suites; none if it is another's.
pub(super) fn command(suite: &str) -> Option<String> {
    let known = [SUITES, TIMED_SUITES, PLAIN_SUITES];
    let known = known.iter().any(|suites| suites.contains(&suite));
    known.then(|| format!("{RUNNER} {suite}"))
}

/// Puts what runs the tests into the folder `bin`, with the programs, which need no C library in
/// the guest.
pub(super) fn stage(paths: &Paths, kernel: &Kernel, bin: &Path) -> Result<()> {
    fs::write(
        bin.join(RUNNER),
        include_bytes!("../../../../guest/kernel-test"),
    )?;
    let selftests = kernel.source()?.join("tools/testing/selftests");
    for (program, folder) in PROGRAMS {
        let out = tempfile::tempdir()?;
        let mut make = Command::new("make");
        make.arg("-C").arg(selftests.join(folder));
        make.arg(format!("OUTPUT={}", out.path().display()));
        make.args(["CC=clang", "LDFLAGS=-static", "KHDR_INCLUDES="]);
        Step::new(paths, program, NAME).run(&mut make)?;
        fs::copy(out.path().join(program), bin.join(program))?;
    }
    Ok(())
}
