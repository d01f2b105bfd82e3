// SPDX-License-Identifier: GPL-2.0

//! Figures as a person reads them.

use std::fmt::Write as _;

use super::figures::{Figure, Figures};
use super::{Benchmark, Bound};

/// The table of a benchmark: figures that belong in one row share all of their
/// names but the last part.
pub(super) fn of(benchmark: &Benchmark, figures: &Figures) -> String {
    let mut text = String::new();
    let mut rows: Vec<&str> = vec![];
    let mut others: Vec<&Figure> = vec![];
    for figure in figures.iter() {
        match figure.name.rsplit_once('.') {
            Some((row, column)) if benchmark.columns.contains(&column) => {
                if !rows.contains(&row) {
                    rows.push(row);
                }
            }
            _ => others.push(figure),
        }
    }

    let _ = write!(text, "{:<20}", benchmark.unit);
    for column in benchmark.columns {
        let _ = write!(text, "{column:>12}");
    }
    text.push('\n');
    for row in rows {
        let _ = write!(text, "{row:<20}");
        for column in benchmark.columns {
            let value = figures.get(&format!("{row}.{column}"));
            let _ = write!(text, "{:>12}", value.map_or("-".to_owned(), number));
        }
        text.push('\n');
    }
    text.push('\n');
    for figure in others {
        let _ = writeln!(
            text,
            "{:<44}{:>16} {}",
            figure.name,
            number(figure.value),
            figure.unit
        );
    }
    text.push('\n');
    for goal in benchmark.goals {
        let bound = match goal.bound {
            Bound::AtMost(bound) => format!("at most {bound}"),
            Bound::AtLeast(bound) => format!("at least {bound}"),
        };
        let (value, verdict) = match (goal.value)(figures) {
            None => ("-".to_owned(), "not measured"),
            Some(value) if goal.is_met(value) => (format!("{value:.2}"), "met"),
            Some(value) => (format!("{value:.2}"), "NOT MET"),
        };
        let _ = writeln!(
            text,
            "goal: {:<48}{value:>8}  {bound:<14}{verdict}",
            goal.what
        );
    }
    text
}

/// Numbers in groups of three digits; small ones that are not whole with two decimals.
pub(super) fn number(value: f64) -> String {
    if value.fract() != 0.0 && value.abs() < 100.0 {
        return format!("{value:.2}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Place;

    const BENCHMARK: Benchmark = Benchmark {
        name: "test",
        place: Place::Host {
            package: "",
            target: "",
        },
        unit: "instructions",
        columns: &["call", "sum"],
        noise: |_| 0.0,
        goals: &[],
    };

    #[test]
    fn figures_of_one_thing_share_a_row() {
        let mut figures = Figures::default();
        for line in ["a.b.call\t7\tx", "rate\t5\ty", "a.b.sum\t1234\tx"] {
            assert!(figures.line(line));
        }
        let text = of(&BENCHMARK, &figures);
        let rows: Vec<Vec<_>> = text
            .lines()
            .map(|line| line.split_whitespace().collect())
            .filter(|words: &Vec<_>| !words.is_empty())
            .collect();
        let wanted: [&[_]; 3] = [
            &["instructions", "call", "sum"],
            &["a.b", "7", "1", "234"],
            &["rate", "5", "y"],
        ];
        assert_eq!(rows, wanted);
    }

    #[test]
    fn numbers_are_easy_to_read() {
        assert_eq!(number(0.0), "0");
        assert_eq!(number(743.0), "743");
        assert_eq!(number(1_082_505.0), "1 082 505");
        assert_eq!(number(73_386.4), "73 386");
        assert_eq!(number(0.125), "0.12");
    }
}
