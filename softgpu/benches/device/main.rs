// SPDX-License-Identifier: GPL-2.0

//! How fast the device is, without a guest: host time beside that of this process's own `memcpy()`
//! and `memset()`. A line for each figure, its name, value and unit separated by tabs.
//!
//! The device and the host work in turn, round by round, and of either the fastest round counts:
//! other work on the machine can only make one slower.

mod clock;
mod gpu;
mod signals;
mod stream;
mod transfers;

use std::process::ExitCode;

use crate::gpu::Gpu;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("device: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let mut gpu = Gpu::new()?;
    transfers::run(&mut gpu)?;
    signals::run(&mut gpu)
}
