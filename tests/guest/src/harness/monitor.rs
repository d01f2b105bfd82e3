// SPDX-License-Identifier: GPL-2.0

//! QEMU's monitor.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};

use anyhow::{Result, ensure};

use super::port;

/// A connection to QEMU's monitor. There is one for the whole guest.
pub(crate) struct Monitor {
    port: BufReader<File>,
    commands: u32,
}

impl Monitor {
    /// Takes the connection.
    pub(crate) fn open() -> Result<Self> {
        let mut monitor = Self {
            port: BufReader::new(port::open("qemu")?),
            commands: 0,
        };
        // An error if an earlier one has done so.
        monitor.ask(r#""execute":"qmp_capabilities""#)?;
        Ok(monitor)
    }

    /// Gives a command of those for people. Returns the answer, which has what the command says.
    pub(crate) fn command(&mut self, line: &str) -> Result<String> {
        let answer = self.ask(&format!(
            r#""execute":"human-monitor-command","arguments":{{"command-line":"{line}"}}"#
        ))?;
        ensure!(answer.contains(r#""return": "#), "{line}: {answer}");
        Ok(answer)
    }

    /// Gives a command and its answer, and passes over events.
    fn ask(&mut self, command: &str) -> Result<String> {
        self.commands += 1;
        let id = format!("{}-{}", std::process::id(), self.commands);
        writeln!(self.port.get_mut(), r#"{{{command},"id":"{id}"}}"#)?;
        let mut answer = String::new();
        while !answer.contains(&id) {
            answer.clear();
            ensure!(self.port.read_line(&mut answer)? != 0, "QEMU has gone");
        }
        Ok(answer.trim_end().to_owned())
    }
}
