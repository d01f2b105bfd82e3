// SPDX-License-Identifier: MIT

//! Measures what the driver costs: a line for each figure, its name, value and unit separated by
//! tabs.
//!
//! Costs are what a thread's CPU clock counts. In a guest whose clock counts instructions, a
//! nanosecond is an instruction, and the figures are the same in every run.

mod calls;
mod clock;
mod footprint;
mod lifecycle;
mod places;
mod row;
mod trace;
mod validate;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use rgt::Device;

/// Measure what the rust_gpu_ttm driver costs.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The render node, instead of the driver's first
    #[arg(long)]
    node: Option<PathBuf>,
    /// A word in the names of figures that are compared between settings of the driver
    #[arg(long, default_value = "default")]
    label: String,
    /// What to measure
    #[arg(required = true)]
    measures: Vec<Measure>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Measure {
    /// Create, map, touch, unmap and close, of this driver and of qxl
    Lifecycle,
    /// Single calls and a page fault
    Calls,
    /// Submissions that move nothing
    Validate,
    /// Bytes moved by cyclic use of more than VRAM
    Trace,
    /// Bandwidth of evictions, in device time
    Evict,
    /// Kernel memory of many BOs
    Footprint,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rgt-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let device = match &arguments.node {
        Some(node) => Device::open_path(node)?,
        None => Device::open()?,
    };
    for measure in &arguments.measures {
        match measure {
            Measure::Lifecycle => lifecycle::run(&device)?,
            Measure::Calls => calls::run(&device)?,
            Measure::Validate => validate::run(&device)?,
            Measure::Trace => trace::cyclic(&device, &arguments.label)?,
            Measure::Evict => trace::bandwidth(&device)?,
            Measure::Footprint => footprint::run(&device)?,
        }
    }
    Ok(())
}
