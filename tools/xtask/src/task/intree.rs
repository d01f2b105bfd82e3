// SPDX-License-Identifier: GPL-2.0

//! `make intree`: the driver in a kernel tree.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, ensure};

use crate::intree::{self, Folders};
use crate::kernel;
use crate::paths::Paths;
use crate::progress::show;

/// Copies the driver to its place in the tree and hooks it up.
pub(crate) fn intree(paths: &Paths, ksrc: &Path) -> Result<ExitCode> {
    ensure!(
        ksrc.join("drivers/gpu/drm/ttm").is_dir() && ksrc.join("rust/kernel").is_dir(),
        "KSRC: {} is not the root of a kernel tree with Rust",
        ksrc.display()
    );
    kernel::check_source(ksrc)?;
    let to = intree::put(paths, &Folders::of(ksrc))?;
    show(&format!(
        "{} holds the driver: enable CONFIG_DRM_RUST_GPU_TTM",
        to.display()
    ));
    Ok(ExitCode::SUCCESS)
}
