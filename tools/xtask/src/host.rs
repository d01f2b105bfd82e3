// SPDX-License-Identifier: GPL-2.0

//! A start by `cargo xtask` outside of the toolchain root.

use std::env;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Error, Result};

/// Has `tools/root.sh` run the same task inside the toolchain root, unless this is it.
pub(crate) fn enter_root() -> Result<()> {
    if env::var_os("RGT_SRC").is_some() {
        return Ok(());
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("root.sh");
    let error = Command::new(&script).args(env::args_os().skip(1)).exec();
    Err(Error::new(error).context(format!("cannot run {}", script.display())))
}
