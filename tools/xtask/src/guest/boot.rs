// SPDX-License-Identifier: GPL-2.0

//! The folder of one boot: sockets, disks, the share and the logs, so that
//! guests of the same run do not meet.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::machine::Machine;
use super::others;
use super::rundir::RunDir;

/// The swap disk, relative to the folder.
pub(super) const SWAP: &str = "swap.img";

/// The folder, new and empty but for what the guest needs.
pub(super) struct Boot {
    dir: PathBuf,
}

impl Boot {
    /// The folder of the boot of this name.
    pub(super) fn of(run: &RunDir, name: &str) -> Self {
        Self {
            dir: run.path().join("boot").join(name),
        }
    }

    /// Makes the folder in place of the one of an earlier boot, with the job
    /// in the share.
    pub(super) fn new(run: &RunDir, name: &str, machine: &Machine, script: &str) -> Result<Self> {
        let boot = Self::of(run, name);
        if boot.dir.exists() {
            fs::remove_dir_all(&boot.dir)?;
        }
        fs::create_dir_all(boot.out())?;
        fs::write(boot.share().join("job"), script)?;
        others::share(run.path(), &boot.share())?;
        if let Some(size) = machine.swap {
            let disk = File::create(boot.dir.join(SWAP))?;
            disk.set_len(u64::from(size) << 20)
                .context("cannot make the swap disk")?;
        }
        Ok(boot)
    }

    /// The folder.
    pub(super) fn path(&self) -> &Path {
        &self.dir
    }

    /// The folder that the guest sees at /mnt.
    pub(super) fn share(&self) -> PathBuf {
        self.dir.join("share")
    }

    /// Where the guest's kernel log goes.
    pub(super) fn console(&self) -> PathBuf {
        self.dir.join("console.log")
    }

    /// The folder of the files that the job left.
    pub(super) fn out(&self) -> PathBuf {
        self.share().join("out")
    }
}
