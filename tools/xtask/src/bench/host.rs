// SPDX-License-Identifier: GPL-2.0

//! Benchmarks on the host, which are bench targets of crates.

use std::fs;
use std::process::Command;

use anyhow::Result;

use super::Outcome;
use super::figures::Figures;
use crate::paths::Paths;
use crate::step::Step;

/// Builds and runs a bench target, which writes the figures.
pub(super) fn run(paths: &Paths, package: &str, target: &str) -> Result<Outcome> {
    let cargo = |last: &[&str]| {
        let mut cargo = Command::new("cargo");
        cargo
            .args(["bench", "--locked", "-p", package, "--bench", target])
            .args(last)
            .current_dir(&paths.src);
        cargo
    };
    // Nothing of cargo's own work is to run beside the measurement.
    let name = format!("{package} benchmark");
    Step::new(paths, &format!("{name}: build"), "cargo-bench").run(&mut cargo(&["--no-run"]))?;
    let step = Step::new(paths, &name, &format!("bench-{target}"));
    step.run(&mut cargo(&[]))?;
    let mut figures = Figures::default();
    for line in fs::read_to_string(step.log())?.lines() {
        // The others are cargo's.
        figures.line(line);
    }
    Ok(Outcome {
        figures,
        good: true,
    })
}
