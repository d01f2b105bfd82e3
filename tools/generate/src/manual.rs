// SPDX-License-Identifier: GPL-2.0

//! Numbers in the programmer's manual: the tables of all of them, and the figures in its text.

mod figures;

use std::fmt::Write;

use anyhow::Result;

pub(crate) use self::figures::wrong_figures;
use crate::numbers::Numbers;
use crate::parts;

/// The lines that the tables are between.
const BEGIN: &str = "<!-- Tables of numbers, by `make generate`. -->\n";
const END: &str = "<!-- End of the tables. -->\n";

/// The manual with its tables of numbers made anew.
///
/// # Errors
///
/// It has no place for them.
pub(crate) fn with_tables(manual: &str, numbers: &Numbers) -> Result<String> {
    parts::replace(manual, BEGIN, END, &tables(numbers))
}

fn tables(numbers: &Numbers) -> String {
    let code = |path: &str| format!("`{}`", path.trim_start_matches("super::"));
    let mut out = String::new();
    for topic in &numbers.topics {
        // Writing to a string does not fail.
        let _ = write!(out, "\n### `{}`\n\n", topic.path.join("::"));
        out.push_str("| name | value | |\n|---|---|---|\n");
        for constant in &topic.constants {
            let words = constant.doc.paragraphs(code).join(" ").replace('|', "\\|");
            let _ = writeln!(
                out,
                "| `{}` | {} | {words} |",
                constant.name,
                constant.figure()
            );
        }
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_around_the_tables_stays() {
        let numbers = Numbers::read(&crate::root().join("hw/abi/src")).unwrap();
        let manual = format!("before\n{BEGIN}stale tables\n{END}after\n");
        let made = with_tables(&manual, &numbers).unwrap();
        assert!(made.starts_with("before\n") && made.ends_with("after\n"));
        assert!(made.contains("\n| `RING_MAX` | 0x100000 | Largest ring, in bytes. |\n"));
        assert!(!made.contains("stale"));
        assert_eq!(with_tables(&made, &numbers).unwrap(), made);
        assert!(with_tables("no place", &numbers).is_err());
    }
}
