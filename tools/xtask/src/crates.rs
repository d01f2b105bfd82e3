// SPDX-License-Identifier: GPL-2.0

//! Building the crates: the device for this side, programs for the guest.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::lock::Lock;
use crate::paths::Paths;
use crate::step::Step;

/// Guest programs bring their C library along.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// The device process.
pub(crate) const SOFTGPU: &str = "softgpu";

/// The test program of guests.
pub(crate) const TESTS: &str = "guest-tests";

/// Builds the device process and the guest programs and puts copies of them
/// into the folder `to`: the device at its top, programs in `bin`. Another
/// run in this checkout may build its own right after.
pub(crate) fn build(paths: &Paths, to: &Path) -> Result<()> {
    let _lock = lock()?;
    let target = target()?;
    Step::new(paths, "softgpu", "cargo-host").run(&mut cargo(paths, &["-p", SOFTGPU]))?;
    copy(&target.join("release").join(SOFTGPU), &to.join(SOFTGPU))?;

    let programs = build_for_guests(paths, "guest programs", &["rgt", TESTS])?;
    let bin = to.join("bin");
    fs::create_dir_all(&bin)?;
    for program in executables(&programs)? {
        copy(&program, &bin.join(program.file_name().unwrap_or_default()))?;
    }
    Ok(())
}

/// Builds the test program alone, as guests run it, and puts a copy of it into the folder `to`.
pub(crate) fn build_tests(paths: &Paths, to: &Path) -> Result<()> {
    let _lock = lock()?;
    let programs = build_for_guests(paths, "test program", &[TESTS])?;
    copy(&programs.join(TESTS), &to.join(TESTS))
}

/// Locks what cargo builds, which is this checkout's own: runs of others do not wait.
fn lock() -> Result<Lock> {
    let target = target()?;
    fs::create_dir_all(&target)?;
    Lock::exclusive(&target.join("lock"))
}

/// Builds the programs of packages, and returns the folder that they are in.
fn build_for_guests(paths: &Paths, title: &str, packages: &[&str]) -> Result<PathBuf> {
    let mut build = cargo(paths, &["--bins", "--target", TARGET]);
    for package in packages {
        build.args(["-p", package]);
    }
    // They are in the memory of every guest; what says where code comes from is most of them.
    build.env(
        "RUSTFLAGS",
        "-C target-feature=+crt-static -C strip=debuginfo",
    );
    Step::new(paths, title, "cargo-guest").run(&mut build)?;
    Ok(target()?.join(TARGET).join("release"))
}

fn cargo(paths: &Paths, arguments: &[&str]) -> Command {
    let mut cargo = Command::new("cargo");
    cargo
        .args(["build", "--locked", "--release"])
        .args(arguments)
        .current_dir(&paths.src);
    cargo
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> Result<PathBuf> {
    folder("CARGO_TARGET_DIR")
}

/// Where cargo keeps what it fetches.
pub(crate) fn home() -> Result<PathBuf> {
    folder("CARGO_HOME")
}

fn folder(variable: &str) -> Result<PathBuf> {
    let dir = std::env::var_os(variable);
    dir.map(Into::into)
        .with_context(|| format!("{variable} is not set; start this by tools/root.sh"))
}

/// The executables that cargo left in `dir`.
fn executables(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut programs = vec![];
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_file() && path.extension().is_none() && path.with_extension("d").exists() {
            programs.push(path);
        }
    }
    Ok(programs)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to)
        .map(drop)
        .with_context(|| format!("cannot copy {}", from.display()))
}
