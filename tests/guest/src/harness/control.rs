// SPDX-License-Identifier: GPL-2.0

//! The device process, which injects errors on request.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};

use anyhow::{Result, ensure};

use super::port;

/// A connection to the device process. There is one for the whole guest.
pub(crate) struct Control(BufReader<File>);

impl Control {
    /// Takes the connection.
    pub(crate) fn open() -> Result<Self> {
        Ok(Self(BufReader::new(port::open("softgpu")?)))
    }

    /// Injects an error, by a command of section 15 of the hardware's manual.
    pub(crate) fn send(&mut self, command: &str) -> Result<()> {
        let answer = self.ask(command)?;
        ensure!(answer == "ok", "{command}: {answer}");
        Ok(())
    }

    /// Gives a command and its answer.
    pub(crate) fn ask(&mut self, command: &str) -> Result<String> {
        writeln!(self.0.get_mut(), "{command}")?;
        let mut answer = String::new();
        self.0.read_line(&mut answer)?;
        Ok(answer.trim_end().to_owned())
    }

    /// The counters of this name that the first GPU has: one, or one for each engine.
    pub(crate) fn counters(&mut self, name: &str) -> Result<Vec<u64>> {
        let json = self.ask("counters 0")?;
        let key = format!("\"{name}\":");
        let found = json.split(&key).skip(1).map(|rest| {
            let end = rest.find(|it: char| !it.is_ascii_digit());
            rest[..end.unwrap_or(rest.len())].parse()
        });
        Ok(found.collect::<Result<_, _>>()?)
    }
}
