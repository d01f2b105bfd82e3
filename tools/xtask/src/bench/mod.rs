// SPDX-License-Identifier: GPL-2.0

//! Benchmarks: they run on the plain kernel, in a guest whose clock counts
//! instructions, so that figures are the same in every run and on every
//! machine.

mod figures;
mod memory;
mod share;
mod submit;
mod table;

use std::fs;
use std::process::ExitCode;

use anyhow::{Result, bail, ensure};

use self::figures::Figures;
use crate::guest::{Guest, Job, Machine, Terminal};
use crate::kernel::Flavour;
use crate::paths::Paths;
use crate::progress::{say, show};

/// A group of measurements that share a guest.
struct Benchmark {
    /// Its name, and that of its file under out/.
    name: &'static str,
    machine: Machine,
    /// What the guest runs.
    script: &'static str,
    /// Last parts of the names of figures that are costs of one thing: columns
    /// of the table.
    columns: &'static [&'static str],
    goals: &'static [Goal],
}

/// A bound on something that is made of figures.
struct Goal {
    /// What it is about.
    what: &'static str,
    /// Its value, unless figures are missing.
    value: fn(&Figures) -> Option<f64>,
    bound: Bound,
}

#[derive(Clone, Copy)]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

impl Goal {
    fn is_met(&self, value: f64) -> bool {
        match self.bound {
            Bound::AtMost(bound) => value <= bound,
            Bound::AtLeast(bound) => value >= bound,
        }
    }
}

/// Words for the kernel of every benchmark: at random addresses, the same mapping
/// has one page table in one boot and two in another.
const APPEND: &[&str] = &["norandmaps"];

const ALL: &[Benchmark] = &[memory::BENCHMARK, submit::BENCHMARK, share::BENCHMARK];

/// Runs every benchmark, or the one named. A goal that is not met is no
/// failure; it is shown.
pub(crate) fn run(paths: &Paths, only: Option<&str>) -> Result<ExitCode> {
    let chosen: Vec<_> = ALL
        .iter()
        .filter(|benchmark| only.is_none_or(|only| only == benchmark.name))
        .collect();
    if chosen.is_empty() {
        let names: Vec<_> = ALL.iter().map(|benchmark| benchmark.name).collect();
        bail!("there is no such benchmark; there are {}", names.join(", "));
    }
    let guest = Guest::prepare(paths, Flavour::Plain)?;
    let mut good = true;
    for benchmark in chosen {
        good &= one(paths, &guest, benchmark)?;
    }
    Ok(match good {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// Runs one benchmark and shows what it found; false if some of it failed.
fn one(paths: &Paths, guest: &Guest, benchmark: &Benchmark) -> Result<bool> {
    let name = benchmark.name;
    let mut figures = Figures::default();
    let outcome = guest.run(
        &Job {
            name: &format!("bench-{name}"),
            machine: &benchmark.machine,
            script: benchmark.script,
            limit: Some(benchmark.machine.limit),
            terminal: Terminal::None,
            log: false,
        },
        |line| {
            if !figures.line(line) {
                say(&format!("  {line}"));
            }
            Ok(())
        },
    )?;
    for splat in &outcome.splats {
        say(&format!("the kernel complained:\n{}", splat.text));
    }
    let status = outcome.status?;
    ensure!(!figures.is_empty(), "the guest gave no figures");

    show(&table::of(benchmark, &figures));
    let out = paths.out();
    fs::create_dir_all(&out)?;
    let file = format!("bench-{name}.json");
    fs::write(out.join(&file), figures.json(name, benchmark.goals)?)?;
    show(&format!("saved out/{file}"));
    Ok(status == 0 && outcome.splats.is_empty())
}
