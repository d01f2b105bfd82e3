// SPDX-License-Identifier: GPL-2.0

//! A long command: its output goes to a log, whose growth is its progress.

use std::fs::{self, File};
use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context, Result, bail};

use crate::child::{Child, Group};
use crate::paths::{Paths, tail};
use crate::progress::Progress;

/// How many lines of a failed step's log are shown.
const SHOWN: usize = 20;

/// One command with a name and a log.
pub(crate) struct Step {
    name: String,
    log: PathBuf,
    count: PathBuf,
    expected: u64,
}

impl Step {
    /// A step called `name` that logs to the file `log` in the cache.
    pub(crate) fn new(paths: &Paths, name: &str, log: &str) -> Self {
        Self {
            name: name.to_owned(),
            log: paths.log(log),
            count: paths.cache.join("log").join(format!("{log}.lines")),
            expected: 0,
        }
    }

    /// Sets the number of log lines of a whole run, for as long as none of
    /// this step has been seen.
    pub(crate) fn expect(mut self, lines: u64) -> Self {
        self.expected = lines;
        self
    }

    /// The file that the output goes to.
    pub(crate) fn log(&self) -> &PathBuf {
        &self.log
    }

    /// Runs the command, which has to succeed.
    pub(crate) fn run(&self, command: &mut Command) -> Result<()> {
        if !self.status(command)? {
            bail!("{}", self.failure());
        }
        Ok(())
    }

    /// Returns the message for a step that failed.
    pub(crate) fn failure(&self) -> String {
        format!(
            "{} failed; the last lines of {}:\n{}",
            self.name,
            self.log.display(),
            tail(&self.log, SHOWN)
        )
    }

    /// Runs the command and tells whether it succeeded.
    pub(crate) fn status(&self, command: &mut Command) -> Result<bool> {
        Ok(self.exit(command)?.success())
    }

    /// Runs the command and returns how it ended.
    pub(crate) fn exit(&self, command: &mut Command) -> Result<ExitStatus> {
        let log = File::create(&self.log)
            .with_context(|| format!("cannot write {}", self.log.display()))?;
        let mut reader = File::open(&self.log)?;
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let longest = fs::read_to_string(&self.count)
            .ok()
            .and_then(|count| count.trim().parse::<u64>().ok());
        let mut progress = Progress::begin(&self.name, longest.unwrap_or(self.expected));
        let mut lines = 0;
        let mut child = Child::spawn(command, Group::Own)?;
        let status = child.wait(None, || {
            lines += count_lines(&mut reader)?;
            progress.at(lines);
            Ok(())
        })?;
        let status = status.context("the wait for a step has no deadline")?;
        if !status.success() {
            return Ok(status);
        }
        progress.done();
        // A run that had little to do says nothing about one that has much.
        if self.expected > 0 && lines > longest.unwrap_or(0) && lines > self.expected / 2 {
            fs::write(&self.count, format!("{lines}\n"))?;
        }
        Ok(status)
    }
}

fn count_lines(reader: &mut impl Read) -> Result<u64> {
    let mut buffer = [0; 65536];
    let mut lines = 0;
    loop {
        let length = reader.read(&mut buffer)?;
        if length == 0 {
            return Ok(lines);
        }
        lines += buffer[..length]
            .iter()
            .filter(|&&byte| byte == b'\n')
            .count() as u64;
    }
}
