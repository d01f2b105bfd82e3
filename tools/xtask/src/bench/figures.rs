// SPDX-License-Identifier: GPL-2.0

//! The figures of a benchmark.

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::{Bound, Goal};

/// A figure: its name, whose parts are separated by dots, a value, a unit.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Figure {
    pub(super) name: String,
    pub(super) value: f64,
    pub(super) unit: String,
}

/// Figures in the order in which they came.
#[derive(Default)]
pub(super) struct Figures(Vec<Figure>);

impl Figures {
    /// Takes a line of the programs' output; false if it is no figure.
    pub(super) fn line(&mut self, line: &str) -> bool {
        let mut parts = line.split('\t');
        let (Some(name), Some(value), Some(unit), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return false;
        };
        let Ok(value) = value.parse() else {
            return false;
        };
        self.0.push(Figure {
            name: name.to_owned(),
            value,
            unit: unit.to_owned(),
        });
        true
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Figure> {
        self.0.iter()
    }

    /// The value of the figure with this name.
    pub(super) fn get(&self, name: &str) -> Option<f64> {
        self.0
            .iter()
            .find(|figure| figure.name == name)
            .map(|figure| figure.value)
    }

    /// One value divided by another.
    pub(super) fn ratio(&self, of: &str, to: &str) -> Option<f64> {
        Some(self.get(of)? / self.get(to).filter(|value| *value != 0.0)?)
    }

    /// All of it for programs to read.
    pub(super) fn json(&self, benchmark: &str, goals: &[Goal]) -> Result<String> {
        let figures: Map<_, _> = self
            .iter()
            .map(|figure| {
                let value = json!({ "value": figure.value, "unit": figure.unit });
                (figure.name.clone(), value)
            })
            .collect();
        let goals: Vec<Value> = goals
            .iter()
            .map(|goal| {
                let value = (goal.value)(self);
                let (bound, limit) = match goal.bound {
                    Bound::AtMost(limit) => ("at most", limit),
                    Bound::AtLeast(limit) => ("at least", limit),
                };
                json!({
                    "what": goal.what,
                    "value": value,
                    "bound": bound,
                    "limit": limit,
                    "met": value.map(|value| goal.is_met(value)),
                })
            })
            .collect();
        let all = json!({ "benchmark": benchmark, "figures": figures, "goals": goals });
        Ok(serde_json::to_string_pretty(&all)? + "\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_told_from_other_lines() {
        let mut figures = Figures::default();
        assert!(figures.line("a.b\t12\tbytes"));
        assert!(figures.line("a.c\t0.5\tratio"));
        assert!(!figures.line("modprobe: no such module"));
        assert!(!figures.line("a\tmany\tbytes"));
        assert!(!figures.line("a\t1\tbytes\tmore"));
        assert_eq!(figures.get("a.b"), Some(12.0));
        assert_eq!(figures.ratio("a.b", "a.c"), Some(24.0));
        assert_eq!(figures.ratio("a.b", "a.d"), None);
    }

    #[test]
    fn a_goal_says_whether_it_is_met() {
        let mut figures = Figures::default();
        figures.line("cost\t3\tinstructions");
        let goals = [
            Goal {
                what: "cost",
                value: |figures| figures.get("cost"),
                bound: Bound::AtMost(2.0),
            },
            Goal {
                what: "nothing",
                value: |figures| figures.get("nothing"),
                bound: Bound::AtLeast(1.0),
            },
        ];
        let json: Value = serde_json::from_str(&figures.json("test", &goals).unwrap()).unwrap();
        assert_eq!(json["figures"]["cost"]["value"], 3.0);
        assert_eq!(json["goals"][0]["met"], false);
        assert_eq!(json["goals"][1]["met"], Value::Null);
    }
}
