// SPDX-License-Identifier: GPL-2.0

//! Checks of the cargo workspace.

use std::process::Command;

use anyhow::Result;

use super::check::{Check, Lint, by_success, by_warnings};
use crate::versions::Tool;

const TOOLS: &[Tool] = &[Tool::Rustc, Tool::Clippy];

/// The crates for others than this project: what is in their folders is all that they are made of.
const PACKAGES: [&str; 2] = ["softgpu-abi", "softgpu"];

/// Runs clippy on every target of every crate, and builds those for others from their packages.
pub(super) fn check(lint: &Lint<'_>) -> Result<()> {
    let mut clippy = Command::new("cargo");
    clippy.args(["clippy", "--locked", "--workspace", "--all-targets"]);
    clippy.args(match lint.is_strict(TOOLS)? {
        true => ["--", "-D", "warnings"],
        // Lints that others deny by themselves are findings, too; what is left are errors.
        false => ["--", "--cap-lints", "warn"],
    });
    let check = Check {
        name: "clippy, crates",
        log: "clippy",
        tools: TOOLS,
        judge: by_warnings,
    };
    lint.run(&check, &mut clippy)?;

    let mut package = Command::new("cargo");
    package.args(["package", "--locked", "--allow-dirty"]);
    package.args(PACKAGES.map(|name| format!("--package={name}")));
    let check = Check {
        name: "cargo package",
        log: "package",
        tools: &[],
        judge: by_success,
    };
    lint.run(&check, &mut package)
}
