// SPDX-License-Identifier: GPL-2.0

//! The tasks that make calls: kernels, the module, crates, guests and tests.
//!
//! It runs inside the toolchain root, started by `tools/root.sh TASK` or `cargo xtask TASK`.

mod bench;
mod checkout;
mod child;
mod crates;
mod follow;
mod guest;
mod host;
mod interrupt;
mod intree;
mod kernel;
mod klog;
mod ktap;
mod lock;
mod module;
mod mutants;
mod options;
mod paths;
mod progress;
mod report;
mod sources;
mod step;
mod suite;
mod task;
mod versions;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::{Parser, Subcommand};

use crate::kernel::Flavour;
use crate::paths::Paths;
use crate::suite::Choice;

#[derive(Parser)]
#[command(name = "xtask", about = "The tasks behind make's targets")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Boot a guest and run the demo in it.
    Run,
    /// Boot a guest and give it to the terminal.
    Shell,
    /// Run every test suite, or those that are named.
    Test {
        /// Suites, guests, suites in guests, or groups of suites, by blanks or commas.
        suites: Vec<String>,
    },
    /// Run the suites that have a long form in that, or those that are named.
    Stress {
        /// The suites to run.
        suites: Vec<String>,
        /// Run everything at once for so many seconds, instead of one suite after the other.
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
        time: Option<u32>,
    },
    /// Run every benchmark, or those named, and show what they measured.
    Bench {
        /// The benchmarks to run.
        benchmarks: Vec<String>,
    },
    /// Run benchmarks on two trees and show the ratios of their figures.
    Compare {
        /// A kernel's source, a finished build of one, a checkout of the driver, or a commit.
        a: String,
        /// The same, to compare with the first.
        b: String,
        /// The benchmarks to run, all that run in guests if none is named.
        benchmarks: Vec<String>,
        /// How often each benchmark is run on each tree.
        #[arg(long, default_value_t = 2)]
        runs: u32,
    },
    /// Run the KUnit suites and show their KTAP.
    Kunit,
    /// Run suites on kernels that have a fault each, and show which saw it.
    Mutants {
        /// The faults, all if none is named.
        faults: Vec<String>,
    },
    /// Check the sources.
    Lint,
    /// Record the versions of the tools that whole green runs were made with.
    RecordVersions,
    /// Put the driver into a kernel tree.
    Intree {
        /// The root of the kernel tree.
        ksrc: PathBuf,
    },
    /// Unpack the kernel source and build a kernel.
    Kernel {
        /// The kernel to build.
        flavour: Flavour,
    },
    /// Build the module for one of the kernels and put it under out/.
    Module {
        /// The kernel to build it for.
        flavour: Flavour,
        /// Build the KUnit suites into it.
        #[arg(long)]
        kunit: bool,
    },
}

impl Task {
    /// Whether guests run whose accelerator may be chosen.
    fn has_guests(&self) -> bool {
        match self {
            Self::Run | Self::Shell | Self::Stress { .. } | Self::Kunit => true,
            Self::Test { suites } => *suites != [suite::cargo::NAME],
            _ => false,
        }
    }
}

fn dispatch(task: Task) -> Result<ExitCode> {
    host::enter_root()?;
    interrupt::install()?;
    let paths = Paths::from_env()?;
    if task.has_guests() {
        guest::announce_accel(paths.options.accel)?;
    }
    match task {
        Task::Run => task::run::run(&paths),
        Task::Shell => task::shell::shell(&paths),
        Task::Test { suites } => task::test::test(&paths, &Choice::from_env(&suites)?),
        Task::Stress { suites, time } => {
            let time = time.map(|seconds| Duration::from_secs(seconds.into()));
            task::stress::stress(&paths, &Choice::from_env(&suites)?, time)
        }
        Task::Bench { benchmarks } => {
            ensure!(
                paths.options.flavour(Flavour::Plain) == Flavour::Plain,
                "benchmarks measure the plain kernel; KERNEL=debug is not for them"
            );
            bench::run(&paths, &benchmarks)
        }
        Task::Compare {
            a,
            b,
            benchmarks,
            runs,
        } => bench::compare::run(
            &paths,
            &bench::compare::Request {
                a: &a,
                b: &b,
                benchmarks: &benchmarks,
                runs,
            },
        ),
        Task::Kunit => task::kunit::kunit(&paths),
        Task::Mutants { faults } => {
            ensure!(
                paths.is_plain(),
                "mutants are of the distribution's kernel: no KSRC=, KDIR=, KERNEL= or APPEND="
            );
            mutants::run(&paths, &faults)
        }
        Task::Lint => task::lint::lint(&paths),
        Task::RecordVersions => task::record_versions::record(&paths),
        Task::Intree { ksrc } => task::intree::intree(&paths, &ksrc),
        Task::Kernel { flavour } => {
            let kernel = kernel::ensure(&paths, flavour)?;
            println!("{}", kernel.image().display());
            Ok(ExitCode::SUCCESS)
        }
        Task::Module { flavour, kunit } => {
            let kernel = kernel::ensure(&paths, flavour)?;
            let out = paths.out();
            fs::create_dir_all(&out)?;
            let variant = module::Variant::of(kunit);
            let module = module::build(&paths, &kernel, variant, &out)?;
            println!("{}", module.display());
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn main() -> ExitCode {
    match dispatch(Cli::parse().task) {
        Ok(code) => code,
        Err(error) => {
            progress::say(&format!("rust_gpu_ttm: {error:#}"));
            match error.downcast_ref() {
                Some(interrupt::Interrupted::Signal) => ExitCode::from(130),
                _ => ExitCode::FAILURE,
            }
        }
    }
}
