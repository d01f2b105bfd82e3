// SPDX-License-Identifier: GPL-2.0

//! The device process of a guest, which has all of its GPUs.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::Resource;

use super::machine::{Gpu, Machine};
use crate::child::{Child, Group};
use crate::paths::tail;

/// The socket for commands to the device process, next to those of the GPUs.
pub(super) const CONTROL: &str = "control.sock";
const LOG: &str = "softgpu.log";
const START: Duration = Duration::from_secs(60);
const FINISH: Duration = Duration::from_secs(5);
const SHOWN: usize = 20;
/// Descriptors that the process may have open: more than GPUs and clients of any machine here take,
/// and fewer than pages of guest memory that are mapped.
const DESCRIPTORS: u64 = 256;

/// The socket of a GPU, in the folder of the boot. Its path is given relative
/// to that folder: a socket's whole path may be too long.
pub(super) fn socket(index: usize) -> String {
    format!("gpu{index}.sock")
}

/// A device process that serves one guest.
pub(super) struct Gpus<'a> {
    child: Child,
    dir: &'a Path,
}

impl<'a> Gpus<'a> {
    /// Starts the program `softgpu` with the GPUs of the machine, in the folder
    /// of the boot, and waits until a guest can connect to them.
    pub(super) fn start(softgpu: &Path, machine: &Machine, dir: &'a Path) -> Result<Self> {
        let log = File::create(dir.join(LOG))?;
        let mut command = Command::new(softgpu);
        for (index, gpu) in machine.gpus.iter().enumerate() {
            command.args(["--gpu", &option(index, gpu)]);
        }
        command
            .args(["--control", CONTROL])
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let mut gpus = Self {
            child: Child::spawn(&mut command, Group::Own)?,
            dir,
        };
        gpus.child
            .limit(Resource::Nofile, DESCRIPTORS)
            .with_context(|| gpus.words("softgpu did not start"))?;
        let deadline = Instant::now() + START;
        let mut sockets: Vec<_> = (0..machine.gpus.len()).map(socket).collect();
        sockets.push(CONTROL.to_owned());
        while !sockets.iter().all(|name| dir.join(name).exists()) {
            let step = Instant::now() + Duration::from_millis(20);
            if gpus.child.wait(Some(step), || Ok(()))?.is_some() {
                bail!("{}", gpus.words("softgpu did not start"));
            }
            if Instant::now() >= deadline {
                bail!("{}", gpus.words("softgpu does not listen on its sockets"));
            }
        }
        Ok(gpus)
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
            tail(&self.dir.join(LOG), SHOWN)
        )
    }
}

/// A GPU as softgpu's option takes it.
fn option(index: usize, gpu: &Gpu) -> String {
    format!(
        "socket={},vram={},visible={}",
        socket(index),
        gpu.vram,
        gpu.visible
    )
}
