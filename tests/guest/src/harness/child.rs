// SPDX-License-Identifier: GPL-2.0

//! Other processes: forks of this one, and helpers that are new runs of this program.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};
use std::{io, thread};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, WaitOptions, waitpid};

/// First argument of a run of this program that is a helper.
pub(crate) const HELPER: &str = "--helper";

/// How a forked process ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It exited with this status.
    Exit(i32),
    /// This signal killed it.
    Signal(i32),
}

/// Runs `work` in a fork of this process, whose exit status is what it returns. It may only
/// touch memory and make system calls: no other thread's lock is ever released there.
pub(crate) fn in_child(work: impl FnOnce() -> u8) -> Result<End> {
    // SAFETY: The child only runs `work`, which by contract takes no locks, and ends by _exit.
    let pid = unsafe { libc::fork() };
    match pid {
        -1 => Err(io::Error::last_os_error()).context("fork"),
        0 => {
            let status = work();
            // SAFETY: Ends the process without running anything of the parent's.
            unsafe { libc::_exit(status.into()) }
        }
        pid => {
            let waited = waitpid(Pid::from_raw(pid), WaitOptions::empty()).context("waitpid")?;
            let (_, status) = waited.context("the child has not ended")?;
            match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => Ok(End::Exit(code)),
                (_, Some(signal)) => Ok(End::Signal(signal)),
                _ => bail!("the child neither exited nor was killed: {status:?}"),
            }
        }
    }
}

/// A helper, killed when dropped.
pub(crate) struct Helper {
    name: String,
    child: Child,
}

impl Helper {
    /// Starts a helper of this name.
    pub(crate) fn start(name: &str, arguments: &[String]) -> Result<Self> {
        let child = Command::new("/proc/self/exe")
            .args([HELPER, name])
            .args(arguments)
            .spawn()
            .with_context(|| format!("cannot start the helper {name}"))?;
        Ok(Self {
            name: name.to_owned(),
            child,
        })
    }

    /// Its process number.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for it to succeed.
    pub(crate) fn finish(self, limit: Duration) -> Result<()> {
        let name = self.name.clone();
        let status = self.end(limit)?;
        anyhow::ensure!(status.success(), "the helper {name} failed: {status}");
        Ok(())
    }

    /// Waits for its end.
    pub(crate) fn end(mut self, limit: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            match self.child.try_wait()? {
                Some(status) => return Ok(status),
                None if Instant::now() > deadline => bail!("the helper {} hangs", self.name),
                None => thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    /// Has it ended: it may have by itself, with success, or it is killed, which takes effect within
    /// `limit`.
    pub(crate) fn stop(mut self, limit: Duration) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            anyhow::ensure!(
                status.success(),
                "the helper {} failed: {status}",
                self.name
            );
            return Ok(());
        }
        self.kill_within(limit)
    }

    /// Has it ended, in whatever way it may have by itself; a kill takes effect within `limit`.
    pub(crate) fn kill_within(mut self, limit: Duration) -> Result<()> {
        if self.child.try_wait()?.is_none() {
            self.child.kill()?;
            self.end(limit)?;
        }
        Ok(())
    }

    /// Kills it by SIGKILL; an error if it had ended already.
    pub(crate) fn kill(mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the helper {} ended too early: {status}", self.name);
        }
        self.child.kill()?;
        let status = self.child.wait()?;
        anyhow::ensure!(
            status.signal() == Some(libc::SIGKILL),
            "killed, but {status}"
        );
        Ok(())
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // Both fail when it has ended already, which is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
