// SPDX-License-Identifier: GPL-2.0

//! C and Kbuild files keep to the kernel's style.

use std::process::Command;

use anyhow::Result;

use super::check::{Check, Lint, Outcome};
use super::files;
use crate::kernel::Tree;
use crate::versions::Tool;

/// Runs the kernel's checkpatch on whole files.
pub(super) fn check(lint: &Lint<'_>, tree: &Tree) -> Result<()> {
    let mut checkpatch = Command::new(tree.dir.join("scripts/checkpatch.pl"));
    checkpatch.args(["--no-tree", "--strict", "--terse", "--file"]);
    checkpatch.args(lint.files(files::is_kernel_c));
    let check = Check {
        name: "checkpatch --strict",
        log: "checkpatch",
        tools: &[Tool::Kernel],
        judge,
    };
    lint.run(&check, &mut checkpatch)
}

/// checkpatch ends a file that it has gone through with the number of its findings.
fn judge(code: Option<i32>, log: &str) -> Outcome {
    match code {
        Some(0) => Outcome::Clean,
        Some(1) if log.lines().any(|line| line.starts_with("total: ")) => Outcome::Findings,
        _ => Outcome::Broken,
    }
}
