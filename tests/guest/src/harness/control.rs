// SPDX-License-Identifier: GPL-2.0

//! The device process, which injects errors on request.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

const PORTS: &str = "/sys/class/virtio-ports";
const NAME: &str = "softgpu";

/// A connection to the device process. There is one for the whole guest.
pub(crate) struct Control(BufReader<File>);

impl Control {
    /// Takes the connection.
    pub(crate) fn open() -> Result<Self> {
        let port = port()?;
        let file = OpenOptions::new().read(true).write(true).open(&port);
        let file = file.with_context(|| format!("cannot open {}", port.display()))?;
        Ok(Self(BufReader::new(file)))
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
}

fn port() -> Result<PathBuf> {
    let ports = fs::read_dir(PORTS).context("this guest has no port to its device process")?;
    for port in ports {
        let port = port?;
        if fs::read_to_string(port.path().join("name"))?.trim_end() == NAME {
            return Ok(PathBuf::from("/dev").join(port.file_name()));
        }
    }
    anyhow::bail!("no port in {PORTS} is named {NAME}")
}
