// SPDX-License-Identifier: GPL-2.0

//! Checks of the cargo workspace.

use std::process::Command;

use anyhow::Result;

use super::check::Lint;

/// Runs clippy on every target of every crate.
pub(super) fn check(lint: &Lint<'_>) -> Result<()> {
    let mut clippy = Command::new("cargo");
    clippy.args(["clippy", "--locked", "--workspace", "--all-targets"]);
    clippy.args(["--", "-D", "warnings"]);
    lint.run("clippy, crates", "clippy", &mut clippy)
}
