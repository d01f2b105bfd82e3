// SPDX-License-Identifier: GPL-2.0

//! `make record-versions`: from now on the versions that run are those that the tree is for.

use std::process::ExitCode;

use anyhow::{Context, Result, ensure};

use crate::kernel;
use crate::paths::Paths;
use crate::versions::Versions;
use crate::versions::green::{self, Whole};

/// Records the versions that run, if whole runs of this very tree were green with them.
pub(crate) fn record(paths: &Paths) -> Result<ExitCode> {
    ensure!(
        paths.is_plain(),
        "versions are recorded of runs without KDIR=, KSRC=, KERNEL= and APPEND="
    );
    let tree = kernel::tree(paths)?;
    let versions = Versions::find(paths, Some(&tree.version))?;
    for whole in Whole::ALL {
        green::require(paths, whole, &versions).context("nothing is recorded")?;
    }
    versions.record(paths)?;
    versions.show()?;
    Ok(ExitCode::SUCCESS)
}
