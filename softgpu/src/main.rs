// SPDX-License-Identifier: GPL-2.0

//! The command `softgpu`: a virtual GPU for one QEMU.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};
use std::thread;

use anyhow::Context;
use clap::Parser;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use softgpu::device::Config;
use softgpu::server::Endpoint;
use softgpu::size;

/// A virtual discrete GPU, for a vfio-user-pci device of QEMU. It ends with its client.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Where to listen for QEMU.
    #[arg(long)]
    socket: PathBuf,
    /// Size of VRAM, a multiple of 2 MiB.
    #[arg(long, value_name = "SIZE", value_parser = size::parse, default_value = "256M")]
    vram: u64,
    /// Size of the part of VRAM that the CPU sees, a power of two [default: the largest that fits]
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    visible: Option<u64>,
    /// Size of the scratchpad, the memory on the chip, a multiple of 4 KiB; 0 for none.
    #[arg(long, value_name = "SIZE", value_parser = size::parse, default_value = "256K")]
    scratchpad: u64,
}

/// Ends the process at a signal that asks for it, without leaving the socket behind.
fn end_at_signal(mut signals: Signals, socket: &Path) -> anyhow::Result<()> {
    let socket = socket.to_owned();
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            if signals.forever().next().is_some() {
                // Whether it is still there or not, the process ends.
                let _ = fs::remove_file(&socket);
                process::exit(0);
            }
        })
        .context("cannot start the thread for signals")?;
    Ok(())
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let config = Config::new(arguments.vram, arguments.visible, arguments.scratchpad)?;
    // From here on a signal waits until there is something to clean up.
    let signals = Signals::new([SIGTERM, SIGINT]).context("cannot handle signals")?;
    let mut endpoint = Endpoint::new(&arguments.socket, config)?;
    end_at_signal(signals, &arguments.socket)?;
    endpoint.run()
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
