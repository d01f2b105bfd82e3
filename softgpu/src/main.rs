// SPDX-License-Identifier: GPL-2.0

//! The command `softgpu`: virtual GPUs for QEMU.

mod gpu_option;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};
use std::thread;

use anyhow::Context;
use clap::Parser;
use gpu_option::GpuOption;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use softgpu::device::Config;
use softgpu::host::Host;
use softgpu::size;

/// Virtual discrete GPUs, for vfio-user-pci devices of QEMU. They end with their clients.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Where to listen for the client of a GPU.
    #[arg(long, required_unless_present = "gpu", conflicts_with = "gpu")]
    socket: Option<PathBuf>,
    /// One of several GPUs: socket=PATH[,vram=SIZE][,visible=SIZE][,scratchpad=SIZE]
    #[arg(long, value_name = "GPU", value_parser = gpu_option::parse)]
    gpu: Vec<GpuOption>,
    /// Size of VRAM, a multiple of 2 MiB.
    #[arg(long, value_name = "SIZE", value_parser = size::parse, default_value = "256M")]
    vram: u64,
    /// Size of the part of VRAM that the CPU sees, a power of two [default: the largest that fits]
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    visible: Option<u64>,
    /// Size of the scratchpad, the memory on the chip, a multiple of 4 KiB; 0 for none.
    #[arg(long, value_name = "SIZE", value_parser = size::parse, default_value = "256K")]
    scratchpad: u64,
    /// Where to listen for commands: trouble on demand, and counters.
    #[arg(long, value_name = "PATH")]
    control: Option<PathBuf>,
}

impl Arguments {
    /// What a GPU is to have.
    fn config(&self, gpu: &GpuOption) -> anyhow::Result<Config> {
        Config::new(
            gpu.vram.unwrap_or(self.vram),
            gpu.visible.or(self.visible),
            gpu.scratchpad.unwrap_or(self.scratchpad),
        )
    }

    /// The GPUs that are asked for, and where to listen for their clients.
    fn gpus(&self) -> anyhow::Result<Vec<(&Path, Config)>> {
        let mut gpus = Vec::new();
        if let Some(socket) = &self.socket {
            gpus.push((socket.as_path(), self.config(&GpuOption::default())?));
        }
        for gpu in &self.gpu {
            gpus.push((gpu.socket.as_path(), self.config(gpu)?));
        }
        Ok(gpus)
    }
}

/// Ends the process at a signal that asks for it, without leaving the sockets behind.
fn end_at_signal(mut signals: Signals, sockets: Vec<PathBuf>) -> anyhow::Result<()> {
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            if signals.forever().next().is_some() {
                for socket in sockets {
                    // Whether it is still there or not, the process ends.
                    let _ = fs::remove_file(socket);
                }
                process::exit(0);
            }
        })
        .context("cannot start the thread for signals")?;
    Ok(())
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let gpus = arguments.gpus()?;
    let sockets = gpus.iter().map(|(socket, _)| *socket);
    let sockets = sockets
        .chain(arguments.control.as_deref())
        .map(Path::to_owned);
    // From here on a signal waits until there is something to clean up.
    let signals = Signals::new([SIGTERM, SIGINT]).context("cannot handle signals")?;
    let host = Host::new(&gpus, arguments.control.as_deref())?;
    end_at_signal(signals, sockets.collect())?;
    host.run()
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("softgpu: {error:#}");
            ExitCode::FAILURE
        }
    }
}
