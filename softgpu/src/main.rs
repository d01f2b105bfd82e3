// SPDX-License-Identifier: GPL-2.0

//! The command `softgpu`: virtual GPUs for QEMU.

mod messages;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};
use std::sync::Arc;
use std::thread;

use anyhow::Context;
use clap::Parser;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use softgpu::command_line::Arguments;
use softgpu::host::Host;

/// Removes the sockets and ends the process.
fn leave(sockets: &[PathBuf], status: i32) -> ! {
    for socket in sockets {
        // Whether it is still there or not, the process ends.
        let _ = fs::remove_file(socket);
    }
    process::exit(status)
}

/// Ends the process at a signal that asks for it.
fn end_at_signal(mut signals: Signals, sockets: Arc<[PathBuf]>) -> anyhow::Result<()> {
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            if signals.forever().next().is_some() {
                leave(&sockets, 0);
            }
        })
        .context("cannot start the thread for signals")?;
    Ok(())
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let gpus = arguments.gpus()?;
    let sockets = gpus.iter().map(|(socket, _)| *socket);
    let sockets = sockets.chain(arguments.control()).map(Path::to_owned);
    let sockets: Arc<[PathBuf]> = sockets.collect();
    // From here on a signal waits until there is something to clean up.
    let signals = Signals::new([SIGTERM, SIGINT]).context("cannot handle signals")?;
    let host = Host::new(&gpus, arguments.control())?;
    {
        let sockets = Arc::clone(&sockets);
        softgpu::panic::end_process_with(move |status| leave(&sockets, status));
    }
    end_at_signal(signals, sockets)?;
    host.run()
}

fn main() -> ExitCode {
    messages::to_standard_error();
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("softgpu: {error:#}");
            ExitCode::FAILURE
        }
    }
}
