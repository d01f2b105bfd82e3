// SPDX-License-Identifier: GPL-2.0

//! The table of layers in the page on the driver's architecture.

use anyhow::Result;

use crate::parts;

/// The lines that the table is between.
const BEGIN: &str = "<!-- The table of layers, by `make generate`. -->\n";
const END: &str = "<!-- End of the table. -->\n";

/// The page with its table made anew.
///
/// # Errors
///
/// It has no place for it.
pub(crate) fn with_table(page: &str) -> Result<String> {
    let table = format!("\n{}\n", layers::markdown(layers::LAYERS));
    parts::replace(page, BEGIN, END, &table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_gets_a_row_for_each_layer() {
        let page = format!("before\n{BEGIN}stale\n{END}after\n");
        let made = with_table(&page).unwrap();
        assert!(made.starts_with("before\n") && made.ends_with("after\n"));
        assert!(!made.contains("stale"));
        for layer in layers::LAYERS {
            assert!(made.contains(&format!("\n| `{}` | ", layer.name)));
        }
        assert_eq!(with_table(&made).unwrap(), made);
        assert!(with_table("no place").is_err());
    }
}
