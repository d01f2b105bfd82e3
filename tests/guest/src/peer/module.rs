// SPDX-License-Identifier: GPL-2.0

//! Kernel modules that a guest does not load by itself.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Loads a module, with those that it needs: by modprobe, or where there is no module tree from
/// /lib.
pub(crate) fn load(name: &str) -> Result<()> {
    if PathBuf::from(format!("/sys/module/{name}")).exists() {
        return Ok(());
    }
    let quietly = |program: &str, argument: &str| -> Result<bool> {
        let status = Command::new(program)
            .arg(argument)
            .stderr(Stdio::null())
            .status();
        Ok(status
            .with_context(|| format!("running {program}"))?
            .success())
    };
    if quietly("modprobe", name)? || quietly("insmod", &format!("/lib/{name}.ko"))? {
        return Ok(());
    }
    bail!("the module {name} does not load");
}
