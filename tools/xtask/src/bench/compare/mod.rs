// SPDX-License-Identifier: GPL-2.0

//! `make compare`: the same benchmarks on two trees, and what differs.

mod judge;
mod report;
mod tree;

use std::fs;
use std::process::ExitCode;
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};

use self::tree::Tree;
use super::figures::Figures;
use super::{Benchmark, Place, Script, choose, in_guest};
use crate::guest::Guest;
use crate::kernel::Flavour;
use crate::paths::Paths;
use crate::progress::{say, show};

/// Where all figures go, under out/.
const FILE: &str = "compare.json";

/// The request: two trees, and the benchmarks.
pub(crate) struct Request<'a> {
    /// The tree that the other one is compared with.
    pub(crate) a: &'a str,
    /// The other one.
    pub(crate) b: &'a str,
    /// The benchmarks, all that run in guests if there are none.
    pub(crate) benchmarks: &'a [String],
    /// How often each is run on each tree; not 0.
    pub(crate) runs: u32,
}

/// Runs the benchmarks on both trees and shows the ratios of their figures.
pub(crate) fn run(paths: &Paths, request: &Request<'_>) -> Result<ExitCode> {
    // Every mistake is told before anything is built.
    ensure!(request.runs != 0, "RUNS=0 measures nothing");
    let benchmarks = in_guests(request.benchmarks)?;
    let a = Tree::find(paths, request.a).with_context(|| format!("A={}", request.a))?;
    let b = Tree::find(paths, request.b).with_context(|| format!("B={}", request.b))?;
    say(&format!("  A: {}\n  B: {}", a.title(), b.title()));

    let a_side = Side::prepare(paths, "a", &a)?;
    let b_side = Side::prepare(paths, "b", &b)?;

    let mut rows = vec![];
    let mut good = true;
    for (benchmark, script) in benchmarks {
        let (mut of_a, mut of_b) = (vec![], vec![]);
        for _ in 0..request.runs {
            // A guest has one CPU, and what it counts does not depend on what else the machine does.
            let (one, other) = thread::scope(|scope| {
                let one = scope.spawn(|| a_side.measure(benchmark, script));
                let other = b_side.measure(benchmark, script);
                let one = one.join().map_err(|_| anyhow!("measuring A panicked"));
                (one.flatten(), other)
            });
            let (one, other) = (one.context("A")?, other.context("B")?);
            good &= one.1 && other.1;
            of_a.push(one.0);
            of_b.push(other.0);
        }
        rows.extend(judge::rows(benchmark, &of_a, &of_b));
    }
    show(&report::table(&a, &b, &rows));
    let out = paths.out();
    fs::create_dir_all(&out)?;
    fs::write(out.join(FILE), report::json(&a, &b, request.runs, &rows)?)?;
    show(&format!("saved out/{FILE}"));
    Ok(match good {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// Returns the benchmarks with these names that measure a tree, and their scripts.
fn in_guests(names: &[String]) -> Result<Vec<(&'static Benchmark, &'static Script)>> {
    let script = |benchmark: &'static Benchmark| match &benchmark.place {
        Place::Guest(script) => Some((benchmark, script)),
        Place::Host { .. } => None,
    };
    let chosen = choose(names)?;
    let measured: Vec<_> = chosen.iter().filter_map(|&one| script(one)).collect();
    ensure!(
        names.is_empty() || measured.len() == chosen.len(),
        "{} counts time on the host, and nothing of a tree runs in it; there are {}",
        super::device::BENCHMARK.name,
        choose(&[])?
            .into_iter()
            .filter_map(script)
            .map(|(benchmark, _)| benchmark.name)
            .collect::<Vec<_>>()
            .join(", ")
    );
    Ok(measured)
}

/// A tree that is ready to be measured.
struct Side {
    name: &'static str,
    guest: Guest,
}

impl Side {
    /// Builds what its guests need.
    fn prepare(paths: &Paths, name: &'static str, tree: &Tree) -> Result<Self> {
        let guest = tree
            .paths(paths)
            .and_then(|paths| Guest::prepare(&paths, Flavour::Plain))
            .with_context(|| tree.title())?;
        Ok(Self { name, guest })
    }

    /// Runs a benchmark once; its figures, and whether all went well.
    fn measure(&self, benchmark: &Benchmark, script: &Script) -> Result<(Figures, bool)> {
        let name = format!("{}-{}", benchmark.name, self.name);
        let outcome = in_guest(&self.guest, &name, script)?;
        ensure!(
            !outcome.figures.is_empty(),
            "{} gave no figures: does the driver load?",
            benchmark.name
        );
        Ok((outcome.figures, outcome.good))
    }
}

#[cfg(test)]
mod tests {
    use super::in_guests;

    #[test]
    fn only_benchmarks_that_run_in_guests_are_compared() {
        let names = |names: &[&str]| {
            names
                .iter()
                .map(|&name| name.to_owned())
                .collect::<Vec<_>>()
        };
        assert!(in_guests(&[]).unwrap().len() > 1);
        assert_eq!(in_guests(&names(&["memory"])).unwrap().len(), 1);
        for wrong in ["device", "nosuch"] {
            let error = in_guests(&names(&["memory", wrong])).err().unwrap();
            let error = error.to_string();
            assert!(error.contains(wrong) && error.contains("submit"), "{error}");
        }
    }
}
