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

/// Builds the device process and the guest programs and puts copies of them
/// into the folder `to`: the device at its top, programs in `bin`. Another
/// checkout that shares the cache may build its own right after.
pub(crate) fn build(paths: &Paths, to: &Path) -> Result<()> {
    let _lock = Lock::exclusive(&paths.cache.join("lock/crates"))?;
    let target = target()?;
    Step::new(paths, "softgpu", "cargo-host").run(&mut cargo(paths, &["-p", SOFTGPU]))?;
    copy(&target.join("release").join(SOFTGPU), &to.join(SOFTGPU))?;

    let mut guest = cargo(
        paths,
        &[
            "-p",
            "rgt",
            "-p",
            "guest-tests",
            "--bins",
            "--target",
            TARGET,
        ],
    );
    // They are in the memory of every guest; what says where code comes from is most of them.
    guest.env(
        "RUSTFLAGS",
        "-C target-feature=+crt-static -C strip=debuginfo",
    );
    Step::new(paths, "guest programs", "cargo-guest").run(&mut guest)?;
    let bin = to.join("bin");
    fs::create_dir_all(&bin)?;
    for program in programs(&target.join(TARGET).join("release"))? {
        copy(&program, &bin.join(program.file_name().unwrap_or_default()))?;
    }
    Ok(())
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
fn target() -> Result<PathBuf> {
    let dir = std::env::var_os("CARGO_TARGET_DIR");
    dir.map(Into::into)
        .context("CARGO_TARGET_DIR is not set; start this by tools/root.sh")
}

/// The executables that cargo left in `dir`.
fn programs(dir: &Path) -> Result<Vec<PathBuf>> {
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
