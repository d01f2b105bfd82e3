// SPDX-License-Identifier: GPL-2.0

//! The graph of imports between files and folders.

mod circles;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

pub(crate) use self::circles::circles;
use crate::resolve::{Resolver, Target};
use crate::tree::{Form, Id, Kind, PathUse, ROOT, Tree, Use};

/// The top-level module of the in-kernel tests: they may import everything.
pub(crate) const TESTS: &str = "tests";

/// The nodes are the module's top-level folders and files, and the files in them.
pub struct Graph {
    /// The nodes of the table, by their names.
    pub(crate) nodes: BTreeSet<String>,
    /// In the order of their places.
    pub(crate) imports: Vec<Import>,
}

/// An import of one file from another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Import {
    pub(crate) file: PathBuf,
    pub(crate) line: usize,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) path: String,
    /// The file that defines what is imported.
    pub(crate) target: PathBuf,
    /// It is known to be a type or a trait.
    pub(crate) is_type: bool,
}

impl fmt::Display for Import {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} -> {}: {}:{} imports {}",
            self.from,
            self.to,
            self.file.display(),
            self.line,
            self.path
        )
    }
}

impl Graph {
    /// Reads the sources of the module in a checkout.
    ///
    /// # Errors
    ///
    /// A file cannot be read or parsed.
    pub fn read(checkout: &Path) -> Result<Self> {
        let read = |path: &Path| fs::read_to_string(checkout.join(path)).ok();
        Ok(Self::new(&Tree::read(Path::new(ROOT), &read)?))
    }

    pub(crate) fn new(tree: &Tree) -> Self {
        let ids = 1..tree.modules.len();
        let nodes = ids.clone().filter_map(|id| tree.node(id));
        let mut imports = BTreeSet::new();
        let builder = Builder {
            tree,
            resolver: Resolver::new(tree),
        };
        for id in ids {
            let node = tree.node(id);
            if let Some(node) = node.filter(|node| node != TESTS) {
                builder.add(id, &node, &mut imports);
            }
        }
        Self {
            nodes: nodes.filter(|node| node != TESTS).collect(),
            imports: imports.into_iter().collect(),
        }
    }

    /// Returns the pairs of nodes of which the first one imports the second one, and how often.
    pub(crate) fn edges(&self) -> BTreeMap<(&str, &str), usize> {
        let mut edges = BTreeMap::new();
        let across = self
            .imports
            .iter()
            .filter(|import| import.from != import.to);
        for import in across {
            *edges.entry((&*import.from, &*import.to)).or_default() += 1;
        }
        edges
    }

    /// Returns the circles of files of more than `most` in each node.
    pub(crate) fn file_circles(&self, most: usize) -> Vec<(&str, Vec<&Path>)> {
        let mut all = Vec::new();
        for node in &self.nodes {
            let inside = self.imports.iter();
            let inside = inside.filter(|import| import.from == *node && import.to == *node);
            let edges = inside.map(|import| (&*import.file, &*import.target));
            let found = circles(edges).into_iter();
            let found = found.filter(|files| files.len() > most);
            all.extend(found.map(|files| (&**node, files)));
        }
        all
    }
}

struct Builder<'a> {
    tree: &'a Tree,
    resolver: Resolver<'a>,
}

impl Builder<'_> {
    /// Adds the imports of the module `id`, which is in `node`.
    fn add(&self, id: Id, node: &str, imports: &mut BTreeSet<Import>) {
        let module = &self.tree.modules[id];
        let mut add = |target: Target, path: &[String], line| {
            let to = target.module();
            let file = self.tree.modules[to].file.clone();
            if let Some(name) = self.tree.node(to).filter(|_| file != module.file) {
                imports.insert(Import {
                    file: module.file.clone(),
                    line,
                    from: node.to_owned(),
                    to: name,
                    path: path.join("::"),
                    target: file,
                    is_type: matches!(target, Target::Item(_, Some(Kind::Type))),
                });
            }
        };

        let mut used = Vec::new();
        for used_path in &module.paths {
            let through = self.resolver.through(id, &used_path.path);
            used.extend(through);
            if through.is_none_or(|import| self.depends_on_path(id, import))
                && (used_path.path.len() > 1 || names_item(used_path))
                && let Some(target) = self.resolver.path(id, &used_path.path)
            {
                add(target, &used_path.path, used_path.line);
            }
        }
        for import in &module.uses {
            let is_used = used.iter().any(|used| std::ptr::eq(*used, import));
            let Some(target) = self.resolver.import(id, import) else {
                continue;
            };
            if !self.depends_on_path(id, import) || !is_used && !import.reexport {
                add(target, &import.path, import.line);
            }
        }
    }

    /// Tells whether it is the paths through an import, not the import, that tell on which file
    /// the module `id` depends: in one folder, those through a module, and those through names that
    /// are imported for others.
    fn depends_on_path(&self, id: Id, import: &Use) -> bool {
        let target = self.resolver.import(id, import);
        let inside = |target: Target| {
            self.tree.modules[target.module()].top == self.tree.modules[id].top
                && (import.reexport || matches!(target, Target::Module(_)))
        };
        import.form != Form::Glob && target.is_some_and(inside)
    }
}

/// Tells whether a single name is that of an item: a variable looks like a module or a function
/// that is not called.
fn names_item(used: &PathUse) -> bool {
    used.called || used.path[0].starts_with(char::is_uppercase)
}
