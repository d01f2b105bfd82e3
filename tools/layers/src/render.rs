// SPDX-License-Identifier: GPL-2.0

//! The graph in words and for Graphviz.

use std::fmt::Write;

use crate::graph::{Graph, Import, circles};
use crate::rules::file_circle;
use crate::table::{Layer, TYPES};

/// Returns what each folder imports from, with the number of imports, and all circles.
pub fn text(graph: &Graph) -> String {
    let edges = graph.edges();
    let mut out = String::new();
    for node in &graph.nodes {
        let to = edges.iter().filter(|((from, _), _)| from == node);
        let to: Vec<String> = to
            .map(|((_, to), count)| format!("{to} ({count})"))
            .collect();
        // Writing to a string does not fail.
        let _ = writeln!(out, "{node} -> {}", to.join(", "));
    }
    let across = edges.keys().filter(|(from, _)| *from != TYPES);
    for circle in circles(across.copied()) {
        let _ = writeln!(out, "circle of folders: {}", circle.join(", "));
    }
    for (node, files) in graph.file_circles(1) {
        let _ = writeln!(out, "{}", file_circle(node, &files));
    }
    out
}

/// Returns every import across folders, and those of files in circles, a line each.
pub fn imports(graph: &Graph) -> String {
    let circles = graph.file_circles(1);
    let in_circle = |import: &Import| {
        let files = [&*import.file, &*import.target];
        let mut circles = circles.iter();
        circles.any(|(_, circle)| files.iter().all(|file| circle.contains(file)))
    };
    let mut out = String::new();
    let mut imports: Vec<_> = graph.imports.iter().collect();
    imports.retain(|import| import.from != import.to || in_circle(import));
    imports.sort_by_key(|import| (&import.from, &import.to));
    for import in imports {
        // Writing to a string does not fail.
        let _ = match import.from == import.to {
            true => writeln!(out, "{import}, of {}", import.target.display()),
            false => writeln!(out, "{import}"),
        };
    }
    out
}

/// Returns the graph in Graphviz's language, with the layers from top to bottom and edges that the
/// table does not have in red.
pub fn dot(graph: &Graph, layers: &[Layer]) -> String {
    let mut out = "digraph layers {\n\tnode [shape=box]\n".to_owned();
    for node in &graph.nodes {
        let _ = writeln!(out, "\t\"{node}\"");
    }
    for (from, to) in graph.edges().keys() {
        let layer = layers.iter().find(|layer| layer.name == *from);
        let style = match layer {
            Some(layer) if layer.imports.contains(to) => "",
            Some(layer) if layer.types_of.contains(to) => " [style=dashed]",
            _ => " [color=red]",
        };
        let _ = writeln!(out, "\t\"{from}\" -> \"{to}\"{style}");
    }
    out.push_str("}\n");
    out
}
