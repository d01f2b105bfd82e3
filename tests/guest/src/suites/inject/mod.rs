// SPDX-License-Identifier: GPL-2.0

//! Every allocation of every call fails once: the call says so, leaves nothing behind, and no
//! content is lost.

mod backup;
mod calls;
mod fail;
mod faults;
mod moves;

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::ensure;

use crate::harness::{Outcome, Suite, Test, tests};
use fail::{each_allocation, set_up};

pub(super) const SUITE: Suite = Suite {
    name: "inject",
    tests: &[calls::TESTS, moves::TESTS, faults::TESTS, LAST],
};

/// For a guest with swap.
pub(super) const BACKUP: Suite = Suite {
    name: "inject-backup",
    tests: &[backup::TESTS, LAST],
};

const LAST: &[Test] = tests![no_leak];

const LEAKS: &str = "/sys/kernel/debug/kmemleak";

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
