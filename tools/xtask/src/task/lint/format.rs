// SPDX-License-Identifier: GPL-2.0

//! All Rust is formatted as the kernel's configuration of rustfmt says.

use std::process::Command;

use anyhow::Result;

use super::check::Lint;
use super::files;
use crate::kernel::Tree;

/// Compares the crates and the module with what rustfmt would write.
pub(super) fn check(lint: &Lint<'_>, tree: &Tree) -> Result<()> {
    let style = tree.dir.join(".rustfmt.toml");
    let mut cargo = Command::new("cargo");
    cargo.args(["fmt", "--all", "--check", "--", "--config-path"]);
    lint.run("rustfmt, crates", "fmt-crates", cargo.arg(&style))?;

    let mut rustfmt = Command::new("rustfmt");
    rustfmt.args(["--check", "--edition", "2021", "--config-path"]);
    rustfmt.arg(&style).args(lint.files(files::is_module_rust));
    lint.run("rustfmt, module", "fmt-module", &mut rustfmt)
}
