// SPDX-License-Identifier: GPL-2.0

//! Benchmarks. Those of the driver run on the plain kernel, in a guest whose clock counts
//! instructions, so that figures are the same in every run and on every machine; the device's runs
//! on the host and counts time.

pub(crate) mod compare;
mod device;
mod figures;
mod host;
mod memory;
mod share;
mod submit;
mod table;
mod userptr;
mod vm;

use std::fs;
use std::process::ExitCode;

use anyhow::{Result, bail, ensure};

use self::figures::{Figure, Figures};
use crate::guest::{Guest, Job, Limit, Machine, Terminal};
use crate::kernel::Flavour;
use crate::paths::Paths;
use crate::progress::{say, show};

/// A group of measurements that are made in one go.
struct Benchmark {
    /// Its name, and that of its file under out/.
    name: &'static str,
    place: Place,
    /// The unit of the figures in the table's columns.
    unit: &'static str,
    /// Last parts of the names of figures that are costs of one thing: columns
    /// of the table.
    columns: &'static [&'static str],
    /// How much a figure may differ between runs of the same, in its unit.
    noise: fn(&Figure) -> f64,
    goals: &'static [Goal],
}

/// Where a benchmark runs.
#[derive(Clone, Copy)]
enum Place {
    /// In a guest.
    Guest(Script),
    /// On the host: the bench target `target` of the crate `package`.
    Host {
        package: &'static str,
        target: &'static str,
    },
}

/// A guest, and what its shell runs.
#[derive(Clone, Copy)]
struct Script {
    machine: Machine,
    text: &'static str,
}

/// A bound on something that is made of figures.
struct Goal {
    /// Its title.
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

/// Returns what counted instructions of one thread may differ by: an interrupt that falls into them,
/// or an address that crosses a page. A sum has that of up to five parts.
fn few_instructions(figure: &Figure) -> f64 {
    match figure.name.ends_with(".sum") {
        true => 320.0,
        false => 64.0,
    }
}

const ALL: &[Benchmark] = &[
    memory::BENCHMARK,
    submit::BENCHMARK,
    vm::BENCHMARK,
    userptr::BENCHMARK,
    share::BENCHMARK,
    device::BENCHMARK,
];

/// The result of a benchmark.
struct Outcome {
    figures: Figures,
    /// Whether all measurements could be made, and the kernel had no complaint.
    good: bool,
}

/// Runs the benchmarks that are named, every one if none is. A goal that is not met is no failure;
/// it is shown.
pub(crate) fn run(paths: &Paths, names: &[String]) -> Result<ExitCode> {
    let chosen = choose(names)?;
    let needs_guest = |benchmark: &&Benchmark| matches!(benchmark.place, Place::Guest(_));
    let guest = match chosen.iter().any(needs_guest) {
        true => Some(Guest::prepare(paths, Flavour::Plain)?),
        false => None,
    };
    let mut good = true;
    for benchmark in chosen {
        let outcome = match (benchmark.place, &guest) {
            (Place::Guest(script), Some(guest)) => in_guest(guest, benchmark.name, &script)?,
            (Place::Guest(_), None) => bail!("no guest was prepared for {}", benchmark.name),
            (Place::Host { package, target }, _) => host::run(paths, package, target)?,
        };
        good &= outcome.good;
        ensure!(
            !outcome.figures.is_empty(),
            "{} gave no figures",
            benchmark.name
        );
        show(&table::of(benchmark, &outcome.figures));
        save(paths, benchmark, &outcome.figures)?;
    }
    Ok(match good {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// Returns the benchmarks with these names, all of them if there are no names.
fn choose(names: &[String]) -> Result<Vec<&'static Benchmark>> {
    let known: Vec<_> = ALL.iter().map(|benchmark| benchmark.name).collect();
    if let Some(name) = names.iter().find(|name| !known.contains(&name.as_str())) {
        bail!(
            "there is no benchmark {name}; there are {}",
            known.join(", ")
        );
    }
    let wanted = |benchmark: &&Benchmark| {
        names.is_empty() || names.iter().any(|name| name == benchmark.name)
    };
    Ok(ALL.iter().filter(wanted).collect())
}

/// Runs a script in a guest, which writes the figures.
fn in_guest(guest: &Guest, name: &str, script: &Script) -> Result<Outcome> {
    let mut figures = Figures::default();
    let outcome = guest.run(
        &Job {
            name: &format!("bench-{name}"),
            machine: &script.machine,
            script: script.text,
            limit: Some(Limit::time(script.machine.limit)),
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
    Ok(Outcome {
        figures,
        good: status == 0 && outcome.splats.is_empty(),
    })
}

/// Writes a benchmark's figures for programs to read.
fn save(paths: &Paths, benchmark: &Benchmark, figures: &Figures) -> Result<()> {
    let out = paths.out();
    fs::create_dir_all(&out)?;
    let file = format!("bench-{}.json", benchmark.name);
    let json = figures.json(benchmark.name, benchmark.goals)?;
    fs::write(out.join(&file), json)?;
    show(&format!("saved out/{file}"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_is_told_with_those_that_there_are() {
        let names = |names: &[&str]| {
            names
                .iter()
                .map(|&name| name.to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(choose(&[]).unwrap().len(), ALL.len());
        let chosen = choose(&names(&["share", "memory"])).unwrap();
        let chosen: Vec<_> = chosen.iter().map(|benchmark| benchmark.name).collect();
        assert_eq!(chosen, ["memory", "share"]);
        let error = choose(&names(&["memory", "nosuch"]))
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains("nosuch") && ALL.iter().all(|known| error.contains(known.name)));
    }
}
