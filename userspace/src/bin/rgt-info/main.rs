// SPDX-License-Identifier: MIT

//! Shows what the GPUs of the driver are and have.

mod report;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use rgt::Device;

/// Show what the GPUs of the rust_gpu_ttm driver are and have.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Render nodes to look at, instead of all of the driver
    nodes: Vec<PathBuf>,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rgt-info: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<()> {
    let nodes = match arguments.nodes {
        nodes if nodes.is_empty() => Device::list()?,
        nodes => nodes,
    };
    anyhow::ensure!(!nodes.is_empty(), rgt::Error::NoDevice);
    for (index, node) in nodes.iter().enumerate() {
        if index > 0 {
            println!();
        }
        print!("{}", report::of(&Device::open_path(node)?)?);
    }
    Ok(())
}
