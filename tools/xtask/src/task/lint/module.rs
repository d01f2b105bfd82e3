// SPDX-License-Identifier: GPL-2.0

//! Checks that build the module.

use std::fs;

use anyhow::{Context, Result};

use super::check::{Lint, Outcome, by_warnings};
use crate::kernel::{self, Flavour};
use crate::module::{Build, Variant};
use crate::versions::Tool;

/// What the compilers find depends on, the kernel's own flags and macros among it.
const TOOLS: &[Tool] = &[
    Tool::Rustc,
    Tool::Clippy,
    Tool::Bindgen,
    Tool::Clang,
    Tool::Kernel,
];

/// Builds the module with all warnings on, which have to be none. The kernel is the one that the
/// tests run on, so that none is built for this alone.
pub(super) fn check(lint: &Lint<'_>) -> Result<()> {
    let kernel = kernel::ensure(lint.paths, Flavour::Debug)?;
    let build = Build::new(lint.paths, &kernel, Variant::Lint)?;
    let mut make = build.command();
    if !lint.is_strict(TOOLS)? {
        // Lints that the kernel denies are findings, too; what is left are errors.
        make.args(["KRUSTFLAGS=--cap-lints=warn", "KCFLAGS=-Wno-error"]);
    }
    let status = build.step.exit(&mut make)?;
    let log = fs::read_to_string(build.step.log())?;
    let outcome = by_warnings(status.code(), &log);
    if outcome != Outcome::Clean {
        // Another build would not compile, and so not warn about, what is built.
        fs::remove_dir_all(&build.dir).context("cannot remove what was built")?;
    }
    lint.report("clippy and W=1, module", TOOLS, outcome, &log)
}
