// SPDX-License-Identifier: GPL-2.0

//! The device process of a guest.

use std::fs::File;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::rundir::RunDir;
use crate::child::{Child, Group};
use crate::crates::SOFTGPU;
use crate::paths::tail;

/// The device's socket, in the folder of the run. Its path is given relative
/// to that folder: a socket's whole path may be too long.
pub(super) const SOCKET: &str = "gpu.sock";

const LOG: &str = "softgpu.log";
const START: Duration = Duration::from_secs(10);
const FINISH: Duration = Duration::from_secs(5);
const SHOWN: usize = 20;

/// A device process that serves one guest.
pub(super) struct Gpu<'a> {
    child: Child,
    run: &'a RunDir,
}

impl<'a> Gpu<'a> {
    /// Starts the process and waits until a guest can connect to it.
    pub(super) fn start(run: &'a RunDir) -> Result<Self> {
        let log = File::create(run.path().join(LOG))?;
        let mut command = Command::new(run.path().join(SOFTGPU));
        command
            .args(["--socket", SOCKET, "--vram", "256M", "--visible", "64M"])
            .current_dir(run.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let mut gpu = Self {
            child: Child::spawn(&mut command, Group::Own)?,
            run,
        };
        let deadline = Instant::now() + START;
        while !run.path().join(SOCKET).exists() {
            let step = Instant::now() + Duration::from_millis(20);
            if gpu.child.wait(Some(step), || Ok(()))?.is_some() {
                bail!("{}", gpu.words("softgpu did not start"));
            }
            if Instant::now() >= deadline {
                bail!("{}", gpu.words("softgpu does not listen on its socket"));
            }
        }
        Ok(gpu)
    }

    /// Waits for the process to end after its guest has.
    pub(super) fn finish(mut self) -> Result<()> {
        let status = self
            .child
            .wait(Some(Instant::now() + FINISH), || Ok(()))?
            .with_context(|| self.words("softgpu did not end with its guest"))?;
        if !status.success() {
            bail!("{}", self.words(&format!("softgpu ended with {status}")));
        }
        Ok(())
    }

    fn words(&self, what: &str) -> String {
        format!(
            "{what}; its last words:\n{}",
            tail(&self.run.path().join(LOG), SHOWN)
        )
    }
}
