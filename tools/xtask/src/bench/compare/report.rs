// SPDX-License-Identifier: GPL-2.0

//! The comparison as a person and as a program reads it.

use std::fmt::Write as _;

use anyhow::Result;
use serde_json::{Value, json};

use super::judge::{Row, middle};
use super::tree::Tree;
use crate::bench::table::number;

/// A line for each figure: its values, B's divided by A's, and a mark if that is more than noise.
pub(super) fn table(a: &Tree, b: &Tree, rows: &[Row]) -> String {
    let mut text = format!("A: {}\nB: {}\n", a.title(), b.title());
    let mut benchmark = "";
    for row in rows {
        if row.benchmark != benchmark {
            benchmark = row.benchmark;
            let _ = writeln!(text, "\n{benchmark:<36}{:>14}{:>14}{:>9}", "A", "B", "B/A");
        }
        let value = |values: &[f64]| middle(values).map_or("-".to_owned(), number);
        let ratio = row.ratio().map(|ratio| format!("{ratio:.3}"));
        let _ = writeln!(
            text,
            "{:<36}{:>14}{:>14}{:>9} {} {}",
            row.name,
            value(&row.a),
            value(&row.b),
            ratio.as_deref().unwrap_or("-"),
            if row.differs() { '*' } else { ' ' },
            row.unit
        );
    }
    let differing = rows.iter().filter(|row| row.differs()).count();
    let _ = writeln!(
        text,
        "\n{differing} of {} figures differ by more than noise (*)",
        rows.len()
    );
    text
}

/// All figures of all runs.
pub(super) fn json(a: &Tree, b: &Tree, runs: u32, rows: &[Row]) -> Result<String> {
    let tree = |tree: &Tree| json!({ "kind": tree.kind(), "title": tree.title() });
    let figures: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "benchmark": row.benchmark,
                "name": row.name,
                "unit": row.unit,
                "a": row.a,
                "b": row.b,
                "ratio": row.ratio(),
                "noise": row.noise,
                "differs": row.differs(),
            })
        })
        .collect();
    let all = json!({ "a": tree(a), "b": tree(b), "runs": runs, "figures": figures });
    Ok(serde_json::to_string_pretty(&all)? + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_mark_what_differs() {
        let row = |name: &str, b| Row {
            benchmark: "memory",
            name: name.to_owned(),
            unit: "bytes".to_owned(),
            a: vec![2000.0, 2000.0],
            b: vec![b, b],
            noise: 5.0,
        };
        let rows = [row("same", 2005.0), row("moved", 1000.0)];
        let (a, b) = (Tree::Source("/a".into()), Tree::Build("/b".into()));
        let text = table(&a, &b, &rows);
        let line = |name| text.lines().find(|line| line.starts_with(name)).unwrap();
        assert!(line("moved").contains("0.500 *"), "{text}");
        assert!(!line("same").contains('*'), "{text}");
        assert!(text.contains("1 of 2 figures"), "{text}");

        let json: Value = serde_json::from_str(&json(&a, &b, 2, &rows).unwrap()).unwrap();
        assert_eq!(json["b"]["kind"], "kernel build");
        assert_eq!(json["figures"][1]["ratio"], 0.5);
        assert_eq!(json["figures"][0]["differs"], false);
    }
}
