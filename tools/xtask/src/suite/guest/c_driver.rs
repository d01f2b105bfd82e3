// SPDX-License-Identifier: GPL-2.0

//! The example driver in C, which takes the GPU from the driver for a while.

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::kernel::Kernel;
use crate::module::{self, Variant};
use crate::paths::Paths;

/// The suite's name.
pub(super) const NAME: &str = "c-driver";

/// The script that runs it in the guest.
pub(super) const COMMAND: &str = "c-driver-test";

/// Puts the example and what tests it into the folder `bin`.
pub(super) fn stage(paths: &Paths, kernel: &Kernel, bin: &Path) -> Result<()> {
    fs::write(
        bin.join(COMMAND),
        include_bytes!("../../../../guest/c-driver-test"),
    )?;
    module::build(paths, kernel, Variant::Example, bin).map(drop)
}
