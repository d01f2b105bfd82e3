// SPDX-License-Identifier: GPL-2.0

//! Programs of others, which are in the share with their libraries.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};

/// Where they are.
const SHARE: &str = "/mnt/others";
/// Where they run, and write what they like.
const FOLDER: &str = "/tmp/others";

/// The programs, with a folder that all users write to, which goes when this is dropped.
pub(crate) struct Programs(());

impl Programs {
    /// Sees that they are there.
    pub(crate) fn new() -> Result<Self> {
        fs::metadata(SHARE).context(SHARE)?;
        fs::create_dir_all(FOLDER)?;
        fs::set_permissions(FOLDER, Permissions::from_mode(0o777))?;
        Ok(Self(()))
    }

    /// A command of one of them, in the folder.
    pub(crate) fn command(&self, name: &str) -> Command {
        let mut command = Command::new(Path::new(SHARE).join(name));
        command.current_dir(FOLDER).env("LD_LIBRARY_PATH", SHARE);
        command
    }

    /// A file in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        Path::new(FOLDER).join(name)
    }
}

impl Drop for Programs {
    fn drop(&mut self) {
        // The next ones use what is left.
        let _ = fs::remove_dir_all(FOLDER);
    }
}

/// A program that runs, with all that it starts. It is killed when this is dropped.
pub(crate) struct Program {
    name: String,
    child: Child,
    output: PathBuf,
}

impl Program {
    /// Starts it, with what it says in a file.
    pub(crate) fn start(mut command: Command, output: PathBuf) -> Result<Self> {
        let name = Path::new(command.get_program()).display().to_string();
        let file = File::create(&output)?;
        let child = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        Ok(Self {
            name,
            child,
            output,
        })
    }

    /// What it has said.
    pub(crate) fn said(&self) -> Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(&self.output)?).into_owned())
    }

    /// Whether it has not ended.
    pub(crate) fn runs(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Waits for its end.
    pub(crate) fn end(&mut self, limit: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            match self.child.try_wait()? {
                Some(status) => return Ok(status),
                None if Instant::now() > deadline => {
                    bail!("{} hangs: {}", self.name, self.said()?)
                }
                None => thread::sleep(Duration::from_millis(50)),
            }
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Both fail when all of it has ended already, which is fine.
        if let Some(group) = Pid::from_raw(self.child.id() as i32) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}
