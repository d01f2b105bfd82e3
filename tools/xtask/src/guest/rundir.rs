// SPDX-License-Identifier: GPL-2.0

//! The folder of one run, so that runs at the same time do not meet.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::lock::Lock;
use crate::paths::Paths;

/// A folder that goes away with its run.
pub(crate) struct RunDir {
    dir: TempDir,
    _lock: Lock,
}

impl RunDir {
    /// Makes the folder, and removes those whose runs were killed.
    pub(crate) fn new(paths: &Paths) -> Result<Self> {
        let home = paths.cache.join("run");
        let _all = Lock::exclusive(&paths.cache.join("lock/run"))?;
        for entry in fs::read_dir(&home)? {
            let dir = entry?.path();
            // The run of a folder holds its lock.
            if let Ok(Some(_dead)) = Lock::try_exclusive(&dir.join("lock")) {
                fs::remove_dir_all(&dir)
                    .with_context(|| format!("cannot remove {}", dir.display()))?;
            }
        }
        let dir = TempDir::new_in(&home).context("cannot make a folder for the run")?;
        let lock = Lock::exclusive(&dir.path().join("lock"))?;
        Ok(Self { dir, _lock: lock })
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }
}
