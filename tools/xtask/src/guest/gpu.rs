// SPDX-License-Identifier: GPL-2.0

//! The device processes of a guest.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::machine::{Gpu, Machine};
use crate::child::{Child, Group};
use crate::paths::tail;

const START: Duration = Duration::from_secs(10);
const FINISH: Duration = Duration::from_secs(5);
const SHOWN: usize = 20;

/// The socket of a GPU, in the folder of the boot. Its path is given relative
/// to that folder: a socket's whole path may be too long.
pub(super) fn socket(index: usize) -> String {
    format!("gpu{index}.sock")
}

/// A device process that serves one guest.
struct Process<'a> {
    child: Child,
    dir: &'a Path,
    index: usize,
}

/// All device processes of one guest.
pub(super) struct Gpus<'a>(Vec<Process<'a>>);

impl<'a> Gpus<'a> {
    /// Starts the program `softgpu` once for each GPU of the machine, in the
    /// folder of the boot, and waits until a guest can connect to them.
    pub(super) fn start(softgpu: &Path, machine: &Machine, dir: &'a Path) -> Result<Self> {
        let mut processes = vec![];
        for (index, gpu) in machine.gpus.iter().enumerate() {
            processes.push(Process::start(softgpu, gpu, dir, index)?);
        }
        for process in &mut processes {
            process.wait_until_up()?;
        }
        Ok(Self(processes))
    }

    /// Waits for the processes to end after their guest has.
    pub(super) fn finish(self) -> Result<()> {
        self.0.into_iter().try_for_each(Process::finish)
    }
}

impl<'a> Process<'a> {
    fn start(softgpu: &Path, gpu: &Gpu, dir: &'a Path, index: usize) -> Result<Self> {
        let log = File::create(dir.join(log(index)))?;
        let mut command = Command::new(softgpu);
        command
            .args(["--socket", &socket(index)])
            .args(["--vram", gpu.vram, "--visible", gpu.visible])
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let child = Child::spawn(&mut command, Group::Own)?;
        Ok(Self { child, dir, index })
    }

    fn wait_until_up(&mut self) -> Result<()> {
        let deadline = Instant::now() + START;
        while !self.dir.join(socket(self.index)).exists() {
            let step = Instant::now() + Duration::from_millis(20);
            if self.child.wait(Some(step), || Ok(()))?.is_some() {
                bail!("{}", self.words("softgpu did not start"));
            }
            if Instant::now() >= deadline {
                bail!("{}", self.words("softgpu does not listen on its socket"));
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<()> {
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
            tail(&self.dir.join(log(self.index)), SHOWN)
        )
    }
}

fn log(index: usize) -> String {
    format!("softgpu{index}.log")
}
