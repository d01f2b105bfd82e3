// SPDX-License-Identifier: GPL-2.0

//! The module's folders import each other as the table of layers says.

use anyhow::Result;
use layers::{Graph, LAYERS};

use super::check::{Lint, Outcome};

/// Compares the graph of imports with the table.
pub(super) fn check(lint: &Lint<'_>) -> Result<()> {
    let (outcome, log) = match Graph::read(&lint.paths.src) {
        Ok(graph) => {
            let broken = layers::check(&graph, LAYERS);
            let outcome = match broken.is_empty() {
                true => Outcome::Clean,
                false => Outcome::Findings,
            };
            (outcome, broken.join("\n"))
        }
        Err(error) => (Outcome::Broken, format!("{error:#}")),
    };
    lint.report("layers", &[], outcome, &log)
}
