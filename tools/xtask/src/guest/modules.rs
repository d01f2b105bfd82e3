// SPDX-License-Identifier: GPL-2.0

//! The guest's /lib/modules: the kernel's modules and ours.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::kernel::Kernel;
use crate::module;

/// Makes the module tree below `root`, with its index.
pub(crate) fn stage(kernel: &Kernel, ours: &Path, root: &Path) -> Result<()> {
    let release = kernel.release()?;
    let tree = root.join("lib/modules").join(&release);
    let order = fs::read_to_string(kernel.dir().join("modules.order"))
        .with_context(|| format!("{} has no modules.order", kernel.dir().display()))?;
    for object in order.lines() {
        let module = Path::new(object).with_extension("ko");
        copy(
            &kernel.dir().join(&module),
            &tree.join("kernel").join(&module),
        )?;
    }
    copy(ours, &tree.join("updates").join(module::FILE))?;
    for index in [
        "modules.order",
        "modules.builtin",
        "modules.builtin.modinfo",
    ] {
        copy(&kernel.dir().join(index), &tree.join(index))?;
    }
    let depmod = Command::new("depmod")
        .arg("-b")
        .arg(root)
        .arg(&release)
        .output()
        .context("cannot run depmod")?;
    ensure!(
        depmod.status.success(),
        "depmod failed: {}",
        String::from_utf8_lossy(&depmod.stderr)
    );
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to.parent().unwrap_or(to))?;
    fs::copy(from, to)
        .map(drop)
        .with_context(|| format!("cannot copy {}", from.display()))
}
