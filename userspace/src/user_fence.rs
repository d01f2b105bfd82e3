// SPDX-License-Identifier: MIT

//! Fences in the process's memory.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::syncobj::Sync;
use crate::uapi;

/// How long a wait sleeps between looks.
const LOOK: Duration = Duration::from_micros(200);

/// A word that the kernel writes when a job is done. Copies are of the same word.
///
/// The word is never freed, as a job that is to write it may end at any time.
#[derive(Debug, Clone, Copy)]
pub struct UserFence(&'static AtomicU64);

impl UserFence {
    /// A word that is 0.
    #[expect(clippy::new_without_default, reason = "each is another word")]
    pub fn new() -> Self {
        Self(Box::leak(Box::new(AtomicU64::new(0))))
    }

    /// Has a job write a value. It cannot be waited for by a job.
    pub fn sync(self, value: u64) -> Sync {
        Sync(uapi::drm_rgt_sync {
            type_: uapi::DRM_RGT_SYNC_USER_FENCE,
            value,
            address: self.0.as_ptr() as u64,
            ..Default::default()
        })
    }

    /// The word. What the job wrote is visible once this is what it was to write.
    pub fn value(self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Waits until the word has a value; `TimedOut` when it does not in time.
    pub fn wait(self, value: u64, timeout: Duration) -> Result<()> {
        let began = Instant::now();
        while self.value() != value {
            if began.elapsed() > timeout {
                return Err(Error::TimedOut);
            }
            thread::sleep(LOOK);
        }
        Ok(())
    }
}
