// SPDX-License-Identifier: GPL-2.0

//! Checks that build the module.

use std::fs;

use anyhow::{Context, Result};

use super::check::{Lint, Outcome, by_warnings};
use crate::kernel::{self, Flavour, Kernel};
use crate::module::{Build, Variant};
use crate::versions::Tool;

/// The tools that the findings of the driver's compilers depend on, the kernel's flags and macros
/// among them.
const TOOLS: &[Tool] = &[
    Tool::Rustc,
    Tool::Clippy,
    Tool::Bindgen,
    Tool::Clang,
    Tool::Kernel,
];

/// The same of the example's.
const EXAMPLE_TOOLS: &[Tool] = &[Tool::Clang, Tool::Kernel];

/// Builds the modules with all warnings on, which have to be none. The kernel is the one that the
/// tests run on, so that none is built for this alone.
pub(super) fn check(lint: &Lint<'_>) -> Result<()> {
    let kernel = kernel::ensure(lint.paths, Flavour::Debug)?;
    let variant = |name, variant, tools| one(lint, &kernel, name, variant, tools);
    variant("clippy and W=1, module", Variant::Lint, TOOLS)?;
    variant("clippy and W=1, KUnit", Variant::KunitLint, TOOLS)?;
    variant("W=1, C driver", Variant::ExampleLint, EXAMPLE_TOOLS)
}

fn one(
    lint: &Lint<'_>,
    kernel: &Kernel,
    name: &str,
    variant: Variant,
    tools: &'static [Tool],
) -> Result<()> {
    let build = Build::new(lint.paths, kernel, variant)?;
    let mut make = build.command();
    if !lint.is_strict(tools)? {
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
    lint.report(name, tools, outcome, &log)
}
