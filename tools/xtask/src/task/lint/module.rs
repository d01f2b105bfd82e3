// SPDX-License-Identifier: GPL-2.0

//! Checks that build the module.

use std::fs;

use anyhow::{Context, Result};

use super::check::Lint;
use crate::kernel::{self, Flavour};
use crate::module::{Build, Variant};

/// Builds the module with all warnings on, which have to be none. The kernel is the one that the
/// tests run on, so that none is built for this alone.
pub(super) fn check(lint: &Lint<'_>) -> Result<()> {
    let kernel = kernel::ensure(lint.paths, Flavour::Debug)?;
    let build = Build::new(lint.paths, &kernel, Variant::Lint)?;
    let built = build.step.status(&mut build.command())?;
    let log = fs::read_to_string(build.step.log())?;
    let clean = built && !log.lines().any(|line| line.contains("warning:"));
    if !clean {
        // Another build would not compile, and so not warn about, what is built.
        fs::remove_dir_all(&build.dir).context("cannot remove what was built")?;
    }
    lint.report("clippy and W=1, module", (!clean).then_some(log));
    Ok(())
}
