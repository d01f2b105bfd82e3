// SPDX-License-Identifier: GPL-2.0

//! Locks between runs. The kernel drops them when their holder ends, however
//! it ends, so that none is ever stale.

use std::fs::File;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::{interrupt, progress};

/// A lock that is held until it is dropped.
pub(crate) struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock alone.
    pub(crate) fn exclusive(path: &Path) -> Result<Self> {
        let lock = Self::open(path)?;
        lock.wait(path, FlockOperation::NonBlockingLockExclusive)?;
        Ok(lock)
    }

    /// Takes the lock together with others that share it.
    pub(crate) fn shared(path: &Path) -> Result<Self> {
        let lock = Self::open(path)?;
        lock.wait(path, FlockOperation::NonBlockingLockShared)?;
        Ok(lock)
    }

    /// Takes the lock alone if it is free.
    pub(crate) fn try_exclusive(path: &Path) -> Result<Option<Self>> {
        let lock = Self::open(path)?;
        match flock(&lock.file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(lock)),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
        }
    }

    fn open(path: &Path) -> Result<Self> {
        let file = File::options()
            .create(true)
            .append(true)
            .open(path)
            .with_context(|| format!("cannot open {}", path.display()))?;
        Ok(Self { file })
    }

    fn wait(&self, path: &Path, operation: FlockOperation) -> Result<()> {
        let mut told = false;
        loop {
            interrupt::check()?;
            match flock(&self.file, operation) {
                Ok(()) => return Ok(()),
                Err(Errno::WOULDBLOCK) => {
                    if !told {
                        progress::say(&format!(
                            "  another run holds {}; waiting for it",
                            path.display()
                        ));
                        told = true;
                    }
                    sleep(Duration::from_millis(200));
                }
                Err(error) => {
                    return Err(error).with_context(|| format!("cannot lock {}", path.display()));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Lock;

    #[test]
    fn a_lock_is_held_until_it_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let shared = [Lock::shared(&path).unwrap(), Lock::shared(&path).unwrap()];
        assert!(Lock::try_exclusive(&path).unwrap().is_none());
        drop(shared);
        // A child that another test is just starting has copies of the descriptors until it is
        // another program, and so the locks with them. Hence one that waits.
        let _alone = Lock::exclusive(&path).unwrap();
        assert!(Lock::try_exclusive(&path).unwrap().is_none());
    }
}
