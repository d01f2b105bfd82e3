// SPDX-License-Identifier: GPL-2.0

//! A program in C that was built with the installed headers.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use anyhow::ensure;
use rgt::Device;

use crate::expect::same;
use crate::harness::{Outcome, Test, tests};

pub(super) const TESTS: &[Test] = tests![example_in_c];

const EXAMPLE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/submit"));

fn example_in_c() -> Outcome {
    const PROGRAM: &str = "/tmp/submit";
    fs::write(PROGRAM, EXAMPLE)?;
    fs::set_permissions(PROGRAM, fs::Permissions::from_mode(0o755))?;
    let output = Command::new(PROGRAM).arg(Device::open()?.path()).output();
    fs::remove_file(PROGRAM)?;
    let output = output?;
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{}: {errors}", output.status);
    same("what it says", output.stdout.as_slice(), b"0x600df00d\n")
}
