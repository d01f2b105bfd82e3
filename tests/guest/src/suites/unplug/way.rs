// SPDX-License-Identifier: GPL-2.0

//! The ways in which a driver loses its device, and gets it back.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::harness::Outcome;
use crate::peer;
use crate::rig::PATIENCE;
use crate::suites::unbind::Unbound;

const MODULE: &str = "rust_gpu_ttm";

/// A way in which the device goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    /// The bus forgets it.
    Remove,
    /// The driver is taken from it.
    Unbind,
    /// That, and the module is unloaded, which it is not before.
    Unload,
}

impl Way {
    pub(super) const ALL: [Self; 3] = [Self::Remove, Self::Unbind, Self::Unload];

    /// Takes the device away, whoever uses it. `device` is its directory in sysfs.
    pub(super) fn take(self, device: &Path) -> Result<Gone> {
        if let Self::Remove = self {
            fs::write(device.join("remove"), "1").context("remove")?;
            return Ok(Gone::Removed);
        }
        if let Self::Unbind = self {
            return Ok(Gone::Unbound(Unbound::now()?));
        }
        ensure!(!is_unloaded()?, "the module was unloaded while it was used");
        Ok(Gone::ToUnload(Unbound::now()?))
    }
}

/// A device that has gone.
pub(super) enum Gone {
    Removed,
    Unbound(Unbound),
    ToUnload(Unbound),
}

impl Gone {
    /// Gives it back to the driver, once nobody has anything of it.
    pub(super) fn back(self) -> Outcome {
        match self {
            Self::Removed => fs::write("/sys/bus/pci/rescan", "1").context("rescan"),
            Self::Unbound(unbound) => unbound.bind(),
            Self::ToUnload(unbound) => {
                let deadline = Instant::now() + PATIENCE;
                while !is_unloaded()? {
                    ensure!(Instant::now() < deadline, "the module stays");
                    thread::sleep(Duration::from_millis(20));
                }
                // The module finds its device.
                unbound.forget();
                peer::load(MODULE)
            }
        }
    }
}

/// Unloads the module, unless it is used.
fn is_unloaded() -> Result<bool> {
    let status = Command::new("rmmod")
        .arg(MODULE)
        .stderr(Stdio::null())
        .status();
    Ok(status.context("rmmod")?.success())
}
