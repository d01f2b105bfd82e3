// SPDX-License-Identifier: GPL-2.0

//! The rules that the graph keeps.

#[cfg(test)]
mod tests;

use std::path::Path;

use crate::graph::{Graph, TESTS, circles};
use crate::table::{Layer, TYPES};

/// The files that may import each other in a circle inside of a folder.
const MOST: usize = 5;

/// Compares the graph with a table of layers. Returns the rules that are broken, a line each.
pub fn check(graph: &Graph, layers: &[Layer]) -> Vec<String> {
    let mut broken = Vec::new();
    let table = Table(layers);
    broken.extend(table.wrong());
    for name in &graph.nodes {
        if table.layer(name).is_none() {
            broken.push(format!("{name} has no layer in the table"));
        }
    }
    for import in &graph.imports {
        if import.from == import.to {
            continue;
        }
        if !table.allows(&import.from, &import.to) {
            broken.push(import.to_string());
        } else if table.names_types(&import.from, &import.to) && !import.is_type {
            broken.push(format!("{import}, which is no type"));
        }
    }

    let across = graph.imports.iter();
    let across = across.filter(|import| import.from != TYPES && import.from != import.to);
    for circle in circles(across.map(|import| (&*import.from, &*import.to))) {
        let circle = circle.join(", ");
        broken.push(format!("circle of folders: {circle}"));
    }
    for (node, files) in graph.file_circles(MOST) {
        broken.push(file_circle(node, &files));
    }
    broken.extend(table.unused(graph));
    broken
}

/// Says which files are in a circle.
pub(crate) fn file_circle(node: &str, files: &[&Path]) -> String {
    let names: Vec<String> = files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    format!(
        "circle of {} files in {node}: {}",
        files.len(),
        names.join(", ")
    )
}

struct Table<'a>(&'a [Layer]);

impl Table<'_> {
    fn layer(&self, name: &str) -> Option<&Layer> {
        self.0.iter().find(|layer| layer.name == name)
    }

    fn rank(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|layer| layer.name == name)
    }

    /// Tells whether the table has the edge, among either kind.
    fn allows(&self, from: &str, to: &str) -> bool {
        to != TESTS
            && self
                .layer(from)
                .is_some_and(|layer| layer.imports.contains(&to) || layer.types_of.contains(&to))
    }

    fn names_types(&self, from: &str, to: &str) -> bool {
        self.layer(from)
            .is_some_and(|layer| layer.types_of.contains(&to))
    }

    /// Returns the edges of the table that do not go down.
    fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for (rank, layer) in self.0.iter().enumerate() {
            for to in layer.imports {
                if self.rank(to).is_none_or(|other| other >= rank) {
                    let name = layer.name;
                    wrong.push(format!("{name} -> {to} does not go down in the table"));
                }
            }
            if !layer.types_of.is_empty() && layer.name != TYPES {
                wrong.push(format!(
                    "{} may not name types of higher layers",
                    layer.name
                ));
            }
        }
        wrong
    }

    /// Returns the layers and edges of the table that the sources do not have.
    fn unused(&self, graph: &Graph) -> Vec<String> {
        let edges = graph.edges();
        let mut unused = Vec::new();
        for layer in self.0 {
            if !graph.nodes.contains(layer.name) {
                unused.push(format!(
                    "{} is in the table and not in the tree",
                    layer.name
                ));
                continue;
            }
            for to in layer.imports.iter().chain(layer.types_of) {
                if !edges.contains_key(&(layer.name, to)) {
                    unused.push(format!(
                        "{} -> {to} is in the table and not used",
                        layer.name
                    ));
                }
            }
        }
        unused
    }
}
