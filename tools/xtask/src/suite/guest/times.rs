// SPDX-License-Identifier: GPL-2.0

//! How long suites took when they ran last, to begin with what takes longest.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::Result;

/// Seconds of a suite that has not run yet.
const UNKNOWN: f64 = 40.0;

/// The times of suites on one kernel, by the names that the report has for them.
pub(super) struct Times {
    file: PathBuf,
    seconds: Mutex<BTreeMap<String, f64>>,
}

impl Times {
    /// Reads what earlier runs have left. Times are a help, and nothing depends on them: what
    /// cannot be read is as if it were not there.
    pub(super) fn read(cache: &Path, kernel: &str) -> Self {
        let file = cache.join(format!("times-{kernel}.json"));
        let text = fs::read_to_string(&file).unwrap_or_default();
        Self {
            file,
            seconds: Mutex::new(serde_json::from_str(&text).unwrap_or_default()),
        }
    }

    /// Returns the seconds that a suite is expected to take.
    pub(super) fn of(&self, label: &str) -> f64 {
        let seconds = self.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        seconds.get(label).copied().unwrap_or(UNKNOWN)
    }

    /// Notes what a suite has taken.
    pub(super) fn note(&self, label: &str, seconds: f64) -> Result<()> {
        let mut all = self.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(label.to_owned(), (seconds * 10.0).round() / 10.0);
        let text = serde_json::to_string_pretty(&*all)?;
        // Another run may read it at any time.
        let new = self.file.with_extension(format!("{}", std::process::id()));
        fs::write(&new, text)?;
        fs::rename(&new, &self.file)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Times, UNKNOWN};

    #[test]
    fn what_was_noted_is_known_to_the_next_run() {
        let dir = tempfile::tempdir().unwrap();
        let times = Times::read(dir.path(), "debug");
        assert_eq!(times.of("swiotlb/gem"), UNKNOWN);
        times.note("swiotlb/gem", 12.34).unwrap();
        times.note("gem", 9.0).unwrap();
        let next = Times::read(dir.path(), "debug");
        assert_eq!((next.of("swiotlb/gem"), next.of("gem")), (12.3, 9.0));
        assert_eq!(Times::read(dir.path(), "plain").of("gem"), UNKNOWN);
    }
}
