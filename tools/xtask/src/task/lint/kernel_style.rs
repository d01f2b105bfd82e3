// SPDX-License-Identifier: GPL-2.0

//! C and Kbuild files keep to the kernel's style.

use std::process::Command;

use anyhow::Result;

use super::check::Lint;
use super::files;
use crate::kernel::Tree;

/// Runs the kernel's checkpatch on whole files.
pub(super) fn check(lint: &Lint<'_>, tree: &Tree) -> Result<()> {
    let mut checkpatch = Command::new(tree.dir.join("scripts/checkpatch.pl"));
    checkpatch.args(["--no-tree", "--strict", "--terse", "--file"]);
    checkpatch.args(lint.files(files::is_kernel_c));
    lint.run("checkpatch --strict", "checkpatch", &mut checkpatch)
}
