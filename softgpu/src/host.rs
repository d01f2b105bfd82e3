// SPDX-License-Identifier: GPL-2.0

//! The GPUs of a process, each with a client and a thread of its own.

use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use anyhow::{Context, anyhow};

use crate::control::Control;
use crate::device::{Config, Device};
use crate::endpoint::Endpoint;

/// The GPUs of the process.
pub struct Host {
    endpoints: Vec<Endpoint>,
    control: Option<Control>,
}

impl Host {
    /// Powers GPUs on and listens at the socket of each, and for commands at `control`.
    pub fn new(gpus: &[(&Path, Config)], control: Option<&Path>) -> anyhow::Result<Self> {
        let endpoints: Vec<Endpoint> = gpus
            .iter()
            .map(|(socket, config)| Endpoint::new(socket, *config))
            .collect::<Result<_, _>>()?;
        let devices: Vec<Arc<Device>> = endpoints
            .iter()
            .map(|endpoint| Arc::clone(endpoint.device()))
            .collect();
        connect(&devices);
        let control = control
            .map(|path| Control::start(path, devices))
            .transpose()?;
        Ok(Self { endpoints, control })
    }

    /// Serves a client of each GPU until all are gone. One that fails leaves the others alone; the
    /// first failure is the result.
    pub fn run(self) -> anyhow::Result<()> {
        let threads = self
            .endpoints
            .into_iter()
            .enumerate()
            .map(|(number, endpoint)| start(number, endpoint))
            .collect::<Result<Vec<_>, _>>()?;
        let results: Vec<anyhow::Result<()>> = threads.into_iter().map(finish).collect();
        drop(self.control);
        results.into_iter().collect()
    }
}

/// Gives each GPU the windows of the others.
fn connect(devices: &[Arc<Device>]) {
    for (number, device) in devices.iter().enumerate() {
        let others = devices
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != number)
            .map(|(_, other)| Arc::clone(other.window()))
            .collect();
        device.shared().memory.write().dma.set_peers(others);
    }
}

fn start(number: usize, mut endpoint: Endpoint) -> anyhow::Result<JoinHandle<anyhow::Result<()>>> {
    thread::Builder::new()
        .name(format!("gpu{number}"))
        .spawn(move || endpoint.run())
        .with_context(|| format!("cannot start the thread of GPU {number}"))
}

fn finish(thread: JoinHandle<anyhow::Result<()>>) -> anyhow::Result<()> {
    let name = thread.thread().name().unwrap_or_default().to_owned();
    thread
        .join()
        .unwrap_or_else(|_| Err(anyhow!("the thread {name} panicked")))
}
