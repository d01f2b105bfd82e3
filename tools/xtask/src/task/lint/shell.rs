// SPDX-License-Identifier: GPL-2.0

//! Shell scripts.

use std::process::Command;

use anyhow::Result;

use super::check::Lint;
use super::files;

/// Runs shellcheck on every script.
pub(super) fn check(lint: &Lint<'_>) -> Result<()> {
    let src = &lint.paths.src;
    let mut shellcheck = Command::new("shellcheck");
    shellcheck.args(lint.files(|file| files::is_shell(&src.join(file))));
    lint.run("shellcheck", "shellcheck", &mut shellcheck)
}
