// SPDX-License-Identifier: MIT

//! Measures what the driver costs: a line for each figure, its name, value and unit separated by
//! tabs.
//!
//! Costs are what a thread's CPU clock counts. In a guest whose clock counts instructions, a
//! nanosecond is an instruction, and the figures are the same in every run. The CPU's own counter
//! counts them for the whole machine.

mod calls;
mod clock;
mod driver;
mod filler;
mod footprint;
mod lifecycle;
mod places;
mod policy;
mod row;
mod share;
mod submit;
mod trace;
mod userptr;
mod vm;
mod wake;

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
    /// Measures to take
    #[arg(required = true)]
    measures: Vec<Measure>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Measure {
    /// Create, map, touch, unmap and close, of this driver and of qxl
    Lifecycle,
    /// Single calls and a page fault
    Calls,
    /// Jobs that do nothing, on a machine of one CPU
    Submit,
    /// Binds and unbinds, on a machine of one CPU
    Vm,
    /// Memory of the process that the GPU uses
    Userptr,
    /// From a job's interrupt to the thread that waits, by the kernel's trace events
    Wake,
    /// Export, import and mapping, of this driver and of others
    Share,
    /// Bandwidth of copies between two GPUs, in device time
    Copies,
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
            Measure::Submit => submit::run(&device)?,
            Measure::Vm => vm::run(&device)?,
            Measure::Userptr => userptr::run(&device)?,
            Measure::Wake => wake::run(&device)?,
            Measure::Share => share::run()?,
            Measure::Copies => share::copies()?,
            Measure::Trace => trace::cyclic(&device, &arguments.label)?,
            Measure::Evict => trace::bandwidth(&device)?,
            Measure::Footprint => footprint::run(&device)?,
        }
    }
    Ok(())
}
