// SPDX-License-Identifier: GPL-2.0

//! From a path to the module that defines what it names.

use crate::tree::{Form, Id, Kind, Module, Tree, Use};

/// The definition that a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Module(Id),
    /// An item of a module. Of those that macros make, the kind is not known.
    Item(Id, Option<Kind>),
}

impl Target {
    /// Returns the module that defines it.
    pub(crate) fn module(self) -> Id {
        match self {
            Self::Module(id) | Self::Item(id, _) => id,
        }
    }
}

/// How many imports one name may go through. More are a circle of re-exports.
const DEPTH: usize = 16;

/// Resolves names in a tree.
pub(crate) struct Resolver<'a> {
    tree: &'a Tree,
}

impl<'a> Resolver<'a> {
    pub(crate) fn new(tree: &'a Tree) -> Self {
        Self { tree }
    }

    /// Resolves a leaf of a `use` tree of the module `from`; of a glob, the module.
    pub(crate) fn import(&self, from: Id, import: &Use) -> Option<Target> {
        self.import_at(from, import, 0)
    }

    /// Resolves a path that is written in the module `from`. Returns none for other crates' items,
    /// and for what has no module: variables, parameters of types, builtin types.
    pub(crate) fn path(&self, from: Id, path: &[String]) -> Option<Target> {
        self.path_at(from, path, false, 0)
    }

    /// Returns the `use` of the module `from` that a path begins with, if it does with one.
    pub(crate) fn through(&self, from: Id, path: &[String]) -> Option<&'a Use> {
        let module = self.module(from);
        let first = path.first()?;
        let shadowed = module.items.contains_key(first)
            || (path.len() > 1 && module.children.contains_key(first));
        bound(module, first).filter(|_| !shadowed)
    }

    fn module(&self, id: Id) -> &'a Module {
        &self.tree.modules[id]
    }

    fn import_at(&self, from: Id, import: &Use, depth: usize) -> Option<Target> {
        self.path_at(from, &import.path, import.form != Form::Name, depth)
    }

    /// Resolves a path of which the last name is that of a module if `to_module` says so.
    fn path_at(&self, from: Id, path: &[String], to_module: bool, depth: usize) -> Option<Target> {
        if depth > DEPTH {
            return None;
        }
        let mut at = match path.first()?.as_str() {
            "crate" => Target::Module(0),
            "self" => Target::Module(from),
            "super" => Target::Module(self.module(from).parent?),
            first => self.name(from, first, path.len() > 1 || to_module, depth)?,
        };
        for (index, name) in path.iter().enumerate().skip(1) {
            let Target::Module(module) = at else {
                // A variant, a constant or a function of a type.
                break;
            };
            if name == "super" {
                at = Target::Module(self.module(module).parent?);
                continue;
            }
            let needs_module = index + 1 < path.len() || to_module;
            at = match self.name(module, name, needs_module, depth) {
                // Another folder's item that this one offers is imported from this one.
                Some(found) if self.leaves(from, module, found) => Target::Item(module, None),
                Some(found) => found,
                None => Target::Item(module, None),
            };
        }
        Some(at)
    }

    /// Tells whether a name of `module`, which is not the module `from` itself, leads to another
    /// folder. All folders are in the crate root.
    fn leaves(&self, from: Id, module: Id, found: Target) -> bool {
        let top = self.module(module).top;
        from != module && top.is_some() && self.module(found.module()).top != top
    }

    /// Resolves a name of a module, which is that of a module itself if `to_module` says so.
    fn name(&self, id: Id, name: &str, to_module: bool, depth: usize) -> Option<Target> {
        let module = self.module(id);
        let child = module.children.get(name).map(|&id| Target::Module(id));
        let item = module.items.get(name);
        let item = item.map(|&kind| Target::Item(id, Some(kind)));
        let import = || {
            // An import does not lead to itself.
            let import = bound(module, name)?;
            self.import_at(id, import, depth + 1)
        };
        let own = match to_module {
            true => child.or(item).or_else(import),
            false => item.or_else(import).or(child),
        };
        own.or_else(|| {
            let globs = module.uses.iter().filter(|leaf| leaf.form == Form::Glob);
            globs.into_iter().find_map(|glob| {
                let Target::Module(from) = self.import_at(id, glob, depth + 1)? else {
                    return None;
                };
                self.name(from, name, to_module, depth + 1)
            })
        })
    }
}

fn bound<'a>(module: &'a Module, name: &str) -> Option<&'a Use> {
    let mut uses = module.uses.iter();
    uses.find(|leaf| leaf.name.as_deref() == Some(name))
}
