// SPDX-License-Identifier: GPL-2.0

//! The trial of a fault: `make test` of some suites on the kernel that has it.

use std::env;
use std::fmt;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail};

use super::list::Fault;
use crate::child::{Child, Group};
use crate::paths::Paths;

/// How long the trial without a fault may take: its suites end by limits of their own.
const ALL: Duration = Duration::from_secs(45 * 60);
/// How long that of a fault may take. Without it some of the suites take four minutes; one that hangs
/// would have its time from limits that are made for the debug kernel.
const ONE: Duration = Duration::from_secs(8 * 60);

/// What became of a fault.
pub(super) enum Verdict {
    /// A test failed, this one first.
    Killed(String),
    /// It was made, and no test failed.
    Survived,
    /// No suite came there.
    NotReached,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Killed(by) => write!(f, "killed: {by}"),
            Self::Survived => f.write_str("survived"),
            Self::NotReached => f.write_str("never reached"),
        }
    }
}

/// Trials on a kernel with faults.
pub(super) struct Trial<'a> {
    pub(super) paths: &'a Paths,
    /// Its source.
    pub(super) tree: &'a Path,
}

impl Trial<'_> {
    /// Runs suites without a fault.
    pub(super) fn without(&self, suites: &[String]) -> Result<Verdict> {
        self.run("none", suites, ALL)
    }

    /// Runs the suites that could see a fault.
    pub(super) fn of(&self, fault: &Fault) -> Result<Verdict> {
        self.run(&fault.name, &fault.suites, ONE)
    }

    fn run(&self, name: &str, suites: &[String], limit: Duration) -> Result<Verdict> {
        let log = self.paths.log(&format!("mutant-{name}"));
        let output = File::create(&log)?;
        let mut test = Command::new(env::current_exe()?);
        test.arg("test").args(suites);
        test.env("KSRC", self.tree).env("KERNEL", "plain");
        test.env("APPEND", format!("mutant={name}"));
        test.env("FAILFAST", "1").env_remove("TEST");
        test.stdin(Stdio::null())
            .stderr(output.try_clone()?)
            .stdout(output);

        let start = SystemTime::now();
        let mut child = Child::spawn(&mut test, Group::Own)?;
        let status = child.wait(Some(Instant::now() + limit), || Ok(()))?;
        let text = fs::read_to_string(&log)?;
        match (first_failure(&text), status) {
            (Some(test), _) => Ok(Verdict::Killed(test.to_owned())),
            (None, None) => Ok(Verdict::Killed("did not end".to_owned())),
            (None, Some(status)) if !status.success() => {
                bail!(
                    "the trial of {name} could not be made; see {}",
                    log.display()
                )
            }
            (None, Some(_)) if self.was_reached(name, start)? => Ok(Verdict::Survived),
            (None, Some(_)) => Ok(Verdict::NotReached),
        }
    }

    /// Whether the kernel of a guest that ran since `start` has said so.
    fn was_reached(&self, name: &str, start: SystemTime) -> Result<bool> {
        let folder = self.paths.cache.join("log");
        let said = format!("mutant {name} reached");
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let file = entry.file_name();
            if !file.to_string_lossy().starts_with("guest-")
                || entry.metadata()?.modified()? < start
            {
                continue;
            }
            let console = fs::read(entry.path())
                .with_context(|| format!("cannot read {}", entry.path().display()))?;
            if String::from_utf8_lossy(&console).contains(&said) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The test that failed first.
fn first_failure(log: &str) -> Option<&str> {
    log.lines().find_map(|line| line.strip_prefix("FAIL "))
}

#[cfg(test)]
mod tests {
    use super::first_failure;

    #[test]
    fn the_first_failure_counts() {
        let log = "ok   gem: gem.close\nFAIL zero: zero.vram\nFAIL zero: zero.gtt\n";
        assert_eq!(first_failure(log), Some("zero: zero.vram"));
        assert_eq!(first_failure("ok   gem: gem.close\n"), None);
    }
}
