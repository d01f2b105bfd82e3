// SPDX-License-Identifier: GPL-2.0

//! Which figures differ by more than their noise.

use super::super::Benchmark;
use super::super::figures::{Figure, Figures};

/// A figure of both trees.
#[derive(Debug)]
pub(super) struct Row {
    /// The benchmark that it is of.
    pub(super) benchmark: &'static str,
    pub(super) name: String,
    pub(super) unit: String,
    /// Its value in each run on A; none if the figure is not there.
    pub(super) a: Vec<f64>,
    /// The same on B.
    pub(super) b: Vec<f64>,
    /// How far values of one tree may be apart.
    pub(super) noise: f64,
}

impl Row {
    /// Returns B's value divided by A's, if both are there.
    pub(super) fn ratio(&self) -> Option<f64> {
        match (middle(&self.a)?, middle(&self.b)?) {
            (0.0, 0.0) => Some(1.0),
            (0.0, _) => None,
            (a, b) => Some(b / a),
        }
    }

    /// Whether the trees differ by more than noise: also if only one of them has the figure.
    pub(super) fn differs(&self) -> bool {
        match (middle(&self.a), middle(&self.b)) {
            (Some(a), Some(b)) => (a - b).abs() > self.noise,
            (a, b) => a.is_some() != b.is_some(),
        }
    }
}

/// Puts the figures of a benchmark's runs on both trees side by side, in A's order.
pub(super) fn rows(benchmark: &'static Benchmark, a: &[Figures], b: &[Figures]) -> Vec<Row> {
    let mut rows: Vec<Row> = vec![];
    for figure in a.iter().chain(b).flat_map(Figures::iter) {
        if rows.iter().any(|row| row.name == figure.name) {
            continue;
        }
        let values = |runs: &[Figures]| {
            let values = runs.iter().filter_map(|run| run.get(&figure.name));
            values.collect::<Vec<_>>()
        };
        let (a, b) = (values(a), values(b));
        rows.push(Row {
            benchmark: benchmark.name,
            name: figure.name.clone(),
            unit: figure.unit.clone(),
            noise: noise(benchmark, figure, &a, &b),
            a,
            b,
        });
    }
    rows
}

/// Returns how far values of a figure may be apart though nothing changed: what is known of it, or
/// what these runs have shown if that is more. A few runs show less than there is.
fn noise(benchmark: &Benchmark, figure: &Figure, a: &[f64], b: &[f64]) -> f64 {
    let largest = a.iter().chain(b).copied().fold(0.0, f64::max);
    let known = (benchmark.noise)(&Figure {
        value: largest,
        ..figure.clone()
    });
    known.max(spread(a)).max(spread(b))
}

fn spread(values: &[f64]) -> f64 {
    let largest = values.iter().copied().reduce(f64::max);
    let smallest = values.iter().copied().reduce(f64::min);
    largest.zip(smallest).map_or(0.0, |(high, low)| high - low)
}

/// Returns the value in the middle, that between two if their number is even.
pub(super) fn middle(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let (low, high) = (
        sorted.get(sorted.len().checked_sub(1)? / 2)?,
        sorted.get(sorted.len() / 2)?,
    );
    Some((low + high) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::super::super::Place;
    use super::*;

    const BENCHMARK: Benchmark = Benchmark {
        name: "test",
        place: Place::Host {
            package: "",
            target: "",
        },
        unit: "",
        columns: &[],
        noise: |figure| if figure.unit == "exact" { 0.0 } else { 10.0 },
        goals: &[],
    };

    fn figures(lines: &[&str]) -> Figures {
        let mut figures = Figures::default();
        assert!(lines.iter().all(|line| figures.line(line)));
        figures
    }

    fn differing(a: &[Figures], b: &[Figures]) -> Vec<String> {
        let rows = rows(&BENCHMARK, a, b);
        let differing = rows.into_iter().filter(Row::differs);
        differing.map(|row| row.name).collect()
    }

    #[test]
    fn noise_is_what_is_known_or_what_was_seen() {
        let a = [
            figures(&["x\t100\texact", "y\t100\tsoft", "z\t100\tsoft"]),
            figures(&["x\t100\texact", "y\t100\tsoft", "z\t150\tsoft"]),
        ];
        let b = [
            figures(&["x\t101\texact", "y\t110\tsoft", "z\t170\tsoft"]),
            figures(&["x\t101\texact", "y\t110\tsoft", "z\t170\tsoft"]),
        ];
        assert_eq!(differing(&a, &a), [""; 0]);
        assert_eq!(differing(&a, &b), ["x"]);
        let c = [figures(&["x\t100\texact", "y\t111\tsoft", "z\t176\tsoft"])];
        assert_eq!(differing(&a, &c), ["y", "z"]);
    }

    #[test]
    fn a_figure_of_one_tree_alone_differs() {
        let (a, b) = ([figures(&["x\t1\texact"])], [figures(&["y\t1\texact"])]);
        assert_eq!(differing(&a, &b), ["x", "y"]);
        assert_eq!(rows(&BENCHMARK, &a, &b)[0].ratio(), None);
    }

    #[test]
    fn ratios_are_those_of_the_middle() {
        let a = [1, 9, 2].map(|value| figures(&[&format!("x\t{value}\texact")]));
        let b = [3, 5].map(|value| figures(&[&format!("x\t{value}\texact")]));
        assert_eq!(rows(&BENCHMARK, &a, &b)[0].ratio(), Some(2.0));
        let none = [figures(&["x\t0\texact"])];
        assert_eq!(rows(&BENCHMARK, &none, &none)[0].ratio(), Some(1.0));
        assert_eq!(rows(&BENCHMARK, &none, &b)[0].ratio(), None);
    }
}
