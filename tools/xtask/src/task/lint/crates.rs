// SPDX-License-Identifier: GPL-2.0

//! Checks of the cargo workspace.

use std::process::Command;

use anyhow::Result;

use super::check::Lint;

/// The crates for others than this project: what is in their folders is all that they are made of.
const PACKAGES: [&str; 2] = ["softgpu-abi", "softgpu"];

/// Runs clippy on every target of every crate, and builds those for others from their packages.
pub(super) fn check(lint: &Lint<'_>) -> Result<()> {
    let mut clippy = Command::new("cargo");
    clippy.args(["clippy", "--locked", "--workspace", "--all-targets"]);
    clippy.args(["--", "-D", "warnings"]);
    lint.run("clippy, crates", "clippy", &mut clippy)?;

    let mut package = Command::new("cargo");
    package.args(["package", "--locked", "--allow-dirty"]);
    package.args(PACKAGES.map(|name| format!("--package={name}")));
    lint.run("cargo package", "package", &mut package)
}
