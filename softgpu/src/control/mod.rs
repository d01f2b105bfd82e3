// SPDX-License-Identifier: GPL-2.0

//! The control socket: error injection and counters.
//!
//! One line a command, one line an answer. A guest may be at the other end, through a serial port,
//! so nothing here trusts what it reads.

mod command;
mod counters;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use anyhow::Context;
use log::warn;

use crate::device::Device;
use crate::log_limit::LogLimit;
use crate::socket::{self, SocketFile};

/// More than any command has.
const LONGEST: u64 = 256;

/// A control socket, served for as long as the process runs.
pub(crate) struct Control {
    _socket: SocketFile,
}

impl Control {
    /// Listens at `path`, for commands to `gpus`.
    pub(crate) fn start(path: &Path, gpus: Vec<Arc<Device>>) -> anyhow::Result<Self> {
        socket::refuse_taken(path)?;
        let (listener, socket) = socket::listen(path)?;
        spawn("control", move || accept(&listener, &gpus.into()))
            .context("cannot start the thread of the control socket")?;
        Ok(Self { _socket: socket })
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map(drop)
}

fn accept(listener: &UnixListener, gpus: &Arc<[Arc<Device>]>) {
    let mut warnings = LogLimit::default();
    loop {
        let stream = socket::accept(listener, &mut warnings);
        let gpus = Arc::clone(gpus);
        // The connection of a client that cannot be served closes.
        let started = spawn("control client", move || {
            let _ = serve(&stream, &gpus);
        });
        if let Err(error) = started {
            warnings.warn(|again| warn!("cannot serve a connection: {error}{again}"));
        }
    }
}

fn serve(stream: &UnixStream, gpus: &[Arc<Device>]) -> io::Result<()> {
    let mut from = BufReader::new(stream);
    let mut to = stream;
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = from.by_ref().take(LONGEST).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(());
        }
        let answer = if line.ends_with(b"\n") {
            let text = String::from_utf8_lossy(&line);
            command::answer(gpus, &text).unwrap_or_else(|error| format!("error: {error}"))
        } else {
            "error: not a line of a command".to_owned()
        };
        to.write_all(format!("{answer}\n").as_bytes())?;
    }
}
