// SPDX-License-Identifier: GPL-2.0

//! Runtime power management as sysfs has it.

use std::fs;
use std::path::PathBuf;
use std::str::FromStr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use rgt::Device;

use crate::expect::same;
use crate::harness::Outcome;
use crate::rig::PATIENCE;
use crate::suites::reset::directory;

/// A delay that is over soon, and not before a job has been waited for.
pub(in crate::suites) const SHORT: Duration = Duration::from_millis(200);
/// How long to look whether a GPU falls asleep that must not: several times as long.
pub(super) const WHILE: Duration = Duration::from_secs(2);

/// Permission for a GPU to sleep, which ends when this is dropped.
pub(in crate::suites) struct Auto {
    dir: PathBuf,
    delay: String,
}

impl Auto {
    /// Lets a GPU sleep when nobody has used it for this long.
    pub(in crate::suites) fn after(device: &Device, delay: Duration) -> Result<Self> {
        let dir = fs::canonicalize(directory(device)?)?;
        let before = fs::read_to_string(dir.join("power/autosuspend_delay_ms"))?;
        let this = Self { dir, delay: before };
        this.set_delay(delay)?;
        this.set("control", "auto")?;
        Ok(this)
    }

    /// Changes the delay.
    pub(super) fn set_delay(&self, delay: Duration) -> Outcome {
        self.set("autosuspend_delay_ms", &delay.as_millis().to_string())
    }

    fn set(&self, file: &str, value: &str) -> Outcome {
        let path = self.dir.join("power").join(file);
        fs::write(&path, value).with_context(|| format!("{value} to {}", path.display()))
    }

    /// The value of a file.
    pub(super) fn get(&self, file: &str) -> Result<String> {
        let path = self.dir.join(file);
        let text = fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
        Ok(text.trim_end().to_owned())
    }

    fn number<T: FromStr>(&self, file: &str) -> Result<T> {
        let text = self.get(file)?;
        text.parse().map_err(|_| anyhow!("{file}: {text}"))
    }

    /// Whether it sleeps.
    pub(super) fn is_asleep(&self) -> Result<bool> {
        Ok(self.get("power/runtime_status")? == "suspended")
    }

    /// How long it was awake, in milliseconds.
    fn active_ms(&self) -> Result<u64> {
        self.number("power/runtime_active_time")
    }

    /// How long it slept, in milliseconds.
    pub(in crate::suites) fn suspended_ms(&self) -> Result<u64> {
        self.number("power/runtime_suspended_time")
    }

    /// Waits until it sleeps, in D3.
    pub(in crate::suites) fn falls_asleep(&self) -> Outcome {
        let deadline = Instant::now() + PATIENCE;
        while !self.is_asleep()? {
            let status = self.get("power/runtime_status")?;
            ensure!(Instant::now() < deadline, "it does not sleep: {status}");
            thread::sleep(Duration::from_millis(5));
        }
        same("power state", self.get("power_state")?.as_str(), "D3hot")
    }

    /// Does something that does not wake it.
    pub(in crate::suites) fn sleeps_on<T>(
        &self,
        what: &str,
        f: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let before = self.active_ms()?;
        ensure!(self.is_asleep()?, "awake before {what}");
        let done = f().with_context(|| what.to_owned())?;
        ensure!(self.is_asleep()?, "awake after {what}");
        same(what, self.active_ms()?, before)?;
        Ok(done)
    }

    /// Does something that wakes it, and waits until it sleeps again.
    pub(in crate::suites) fn wakes<T>(
        &self,
        what: &str,
        f: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let before = self.active_ms()?;
        ensure!(self.is_asleep()?, "awake before {what}");
        let done = f().with_context(|| what.to_owned())?;
        self.falls_asleep()?;
        ensure!(self.active_ms()? > before, "asleep in {what}");
        Ok(done)
    }

    /// Looks for a while whether it stays awake.
    pub(super) fn stays_awake(&self, what: &str) -> Outcome {
        let end = Instant::now() + WHILE;
        while Instant::now() < end {
            ensure!(!self.is_asleep()?, "it sleeps: {what}");
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Drop for Auto {
    fn drop(&mut self) {
        // A device that is gone has no such files.
        let _ = self.set("control", "on");
        let _ = self.set("autosuspend_delay_ms", self.delay.trim_end());
    }
}
