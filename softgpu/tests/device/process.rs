// SPDX-License-Identifier: GPL-2.0

//! The command as a process of its own.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::gpu::wait_for;

/// The command, with a GPU at a socket.
pub(crate) fn softgpu(socket: &Path, arguments: &[&str]) -> Command {
    let mut command = plain(arguments);
    command.arg("--socket").arg(socket);
    command
}

/// The command with nothing but these arguments.
pub(crate) fn plain<S: AsRef<OsStr>>(arguments: &[S]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_softgpu"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// A command that does not outlive its test.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    /// With a GPU at a socket.
    pub(crate) fn new(socket: &Path, arguments: &[&str]) -> Self {
        Self(softgpu(socket, arguments).spawn().unwrap())
    }

    /// As [`new`](Self::new), with its messages in a file.
    pub(crate) fn logged(socket: &Path, arguments: &[&str], log: &Path) -> Self {
        let log = fs::File::create(log).unwrap();
        Self(softgpu(socket, arguments).stderr(log).spawn().unwrap())
    }

    /// With a GPU for each socket, with so many MiB of VRAM.
    pub(crate) fn several(sockets: &[&Path], more: &[String]) -> Self {
        let mut arguments = more.to_vec();
        for (socket, vram) in sockets.iter().zip([4, 6, 8]) {
            arguments.push(format!("--gpu=socket={},vram={vram}M", socket.display()));
        }
        Self(plain(&arguments).spawn().unwrap())
    }

    /// Its exit status, once it ends by itself; none if a signal ended it.
    pub(crate) fn status(&mut self) -> Option<i32> {
        let mut status = None;
        wait_for("an end", || {
            status = self.0.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap().code()
    }

    /// Descriptors that it has open.
    pub(crate) fn descriptors(&self) -> usize {
        let path = format!("/proc/{}/fd", self.0.id());
        fs::read_dir(path).unwrap().count()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
