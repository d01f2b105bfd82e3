// SPDX-License-Identifier: GPL-2.0

//! Shell scripts.

use std::process::Command;

use anyhow::Result;

use super::check::{Check, Lint, Outcome};
use super::files;
use crate::versions::Tool;

/// Runs shellcheck on every script.
pub(super) fn check(lint: &Lint<'_>) -> Result<()> {
    let src = &lint.paths.src;
    let mut shellcheck = Command::new("shellcheck");
    shellcheck.args(lint.files(|file| files::is_shell(&src.join(file))));
    let check = Check {
        name: "shellcheck",
        log: "shellcheck",
        tools: &[Tool::Shellcheck],
        judge,
    };
    lint.run(&check, &mut shellcheck)
}

/// shellcheck ends with 1 when it found something, and with more when it could not look.
fn judge(code: Option<i32>, _: &str) -> Outcome {
    match code {
        Some(0) => Outcome::Clean,
        Some(1) => Outcome::Findings,
        _ => Outcome::Broken,
    }
}
