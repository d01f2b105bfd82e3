// SPDX-License-Identifier: GPL-2.0

//! Checks that build the driver in the kernel's source.

use anyhow::Result;

use super::check::{Lint, Outcome};
use crate::intree::{As, Built, Check};
use crate::kernel::{self, Flavour};
use crate::progress::say;
use crate::versions::Tool;

/// The tools that the compilers' findings depend on.
const TOOLS: &[Tool] = &[Tool::Rustc, Tool::Bindgen, Tool::Clang, Tool::Kernel];

/// Builds it as part of the kernel that the tests run on, and as a module of that.
pub(super) fn check(lint: &Lint<'_>) -> Result<()> {
    if lint.paths.kdir.is_some() {
        // How it was configured is not known, and it may have been built in its source.
        say("  driver in tree: not checked in the build that KDIR= names");
        return Ok(());
    }
    let kernel = kernel::ensure(lint.paths, Flavour::Debug)?;
    let check = Check::new(lint.paths, &kernel)?;
    for way in [As::BuiltIn, As::Module] {
        let name = format!("driver in tree, as {}", way.value());
        let (outcome, log) = match check.build(way)? {
            Built::Clean => (Outcome::Clean, String::new()),
            Built::Warned { log } => (Outcome::Findings, log),
            Built::Broken { why } => (Outcome::Broken, why),
        };
        lint.report(&name, TOOLS, outcome, &log)?;
    }
    Ok(())
}
