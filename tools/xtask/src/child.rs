// SPDX-License-Identifier: GPL-2.0

//! Processes that cannot outlive their owner.

use std::os::unix::process::CommandExt;
use std::process::{self, Command, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{
    Pid, Resource, Rlimit, Signal, kill_process, kill_process_group, prlimit,
    set_parent_process_death_signal,
};

use crate::interrupt;

const POLL: Duration = Duration::from_millis(50);
const GRACE: Duration = Duration::from_secs(3);

/// Who gets the signals that end the child.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    /// The child leads a group of its own, which is ended as a whole; the
    /// terminal's Ctrl-C does not reach it.
    Own,
    /// The child stays in our group, so that it may read the terminal.
    Ours,
}

/// A process that is ended, with its group, when this is dropped.
pub(crate) struct Child {
    inner: process::Child,
    group: Group,
    done: bool,
}

impl Child {
    /// Starts `command`.
    pub(crate) fn spawn(command: &mut Command, group: Group) -> Result<Self> {
        if group == Group::Own {
            command.process_group(0);
        }
        // SAFETY: the closure runs between fork and exec and does one system
        // call, which is async-signal-safe; it neither allocates nor locks.
        unsafe {
            command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::TERM))?));
        }
        let inner = command
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        Ok(Self {
            inner,
            group,
            done: false,
        })
    }

    /// The status of the child if it has ended.
    fn try_wait(&mut self) -> Result<Option<ExitStatus>> {
        let status = self.inner.try_wait()?;
        self.done |= status.is_some();
        Ok(status)
    }

    /// Waits for the child's end, at most until `deadline`, and calls `each`
    /// while it waits.
    pub(crate) fn wait(
        &mut self,
        deadline: Option<Instant>,
        mut each: impl FnMut() -> Result<()>,
    ) -> Result<Option<ExitStatus>> {
        loop {
            interrupt::check()?;
            let status = self.try_wait()?;
            each()?;
            if status.is_some() || deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Ok(status);
            }
            sleep(POLL);
        }
    }

    /// Bounds what the child may have of a resource.
    pub(crate) fn limit(&self, resource: Resource, most: u64) -> Result<()> {
        let pid = self.pid().context("a process that has gone")?;
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        prlimit(Some(pid), resource, limit)?;
        Ok(())
    }

    fn pid(&self) -> Option<Pid> {
        Pid::from_raw(self.inner.id().cast_signed())
    }

    fn signal(&self, signal: Signal) {
        let Some(pid) = self.pid() else {
            return;
        };
        // An error means that the process is gone already.
        let _ = match self.group {
            Group::Own => kill_process_group(pid, signal),
            Group::Ours => kill_process(pid, signal),
        };
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        self.signal(Signal::TERM);
        let deadline = Instant::now() + GRACE;
        while Instant::now() < deadline {
            if !matches!(self.inner.try_wait(), Ok(None)) {
                // Processes that the child started may be slower to end.
                self.signal(Signal::KILL);
                return;
            }
            sleep(POLL);
        }
        self.signal(Signal::KILL);
        let _ = self.inner.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    use super::{Child, Group};

    #[test]
    fn a_dropped_child_takes_its_group_along() {
        let (read, write) = std::io::pipe().unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-c", "sleep 60 & wait"]);
        shell.stdin(Stdio::null()).stdout(write);
        let child = Child::spawn(&mut shell, Group::Own).unwrap();
        drop(shell);
        let start = Instant::now();
        drop(child);
        // The pipe ends once it has no writer left.
        assert_eq!(std::io::read_to_string(read).unwrap(), "");
        assert!(start.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn waiting_ends_with_the_child_or_the_deadline() {
        let mut child = Child::spawn(Command::new("sleep").arg("60"), Group::Own).unwrap();
        assert!(
            child
                .wait(Some(Instant::now()), || Ok(()))
                .unwrap()
                .is_none()
        );
        let mut child = Child::spawn(&mut Command::new("true"), Group::Own).unwrap();
        assert!(child.wait(None, || Ok(())).unwrap().unwrap().success());
    }
}
