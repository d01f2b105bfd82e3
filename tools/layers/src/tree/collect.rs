// SPDX-License-Identifier: GPL-2.0

//! The items, imports and paths of one file.

mod tokens;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, File, Item, ItemMacro, ItemMod, ItemUse, Lit, Meta, UseTree};

use super::{Form, Id, Kind, PathUse, Tree, Use};

/// Adds what the file of the module `id` holds to the tree. Returns its child modules that have
/// files of their own.
pub(super) fn collect(
    tree: &mut Tree,
    id: Id,
    file: &File,
    read: &dyn Fn(&Path) -> Option<String>,
) -> Result<Vec<Id>> {
    let mut pending = Vec::new();
    module(tree, id, &file.items, read, &mut pending)?;
    Ok(pending)
}

fn module(
    tree: &mut Tree,
    id: Id,
    items: &[Item],
    read: &dyn Fn(&Path) -> Option<String>,
    pending: &mut Vec<Id>,
) -> Result<()> {
    let mut visitor = Visitor::default();
    for item in items {
        if let Some((name, kind)) = declared(item) {
            tree.modules[id].items.insert(name, kind);
        }
        let Item::Mod(child) = item else {
            visitor.visit_item(item);
            continue;
        };
        let name = child.ident.to_string();
        let dir = tree.modules[id].dir.join(&name);
        match &child.content {
            Some((_, items)) => {
                let file = tree.modules[id].file.clone();
                let child = tree.add(id, &name, file, dir);
                module(tree, child, items, read, pending)?;
            }
            None => {
                let (file, dir) = find(tree, id, child, &dir, read)?;
                pending.push(tree.add(id, &name, file, dir));
            }
        }
    }
    let module = &mut tree.modules[id];
    module.uses = visitor.uses;
    module.paths = visitor.paths;
    Ok(())
}

/// Finds the file of a child module, and the folder of that one's children.
fn find(
    tree: &Tree,
    parent: Id,
    child: &ItemMod,
    dir: &Path,
    read: &dyn Fn(&Path) -> Option<String>,
) -> Result<(PathBuf, PathBuf)> {
    if let Some(path) = child.attrs.iter().find_map(path_attribute) {
        let from = tree.modules[parent].file.parent().unwrap_or(Path::new(""));
        let file = from.join(path);
        let dir = file.parent().unwrap_or(Path::new("")).to_owned();
        return Ok((file, dir));
    }
    for file in [dir.with_extension("rs"), dir.join("mod.rs")] {
        if read(&file).is_some() {
            return Ok((file, dir.to_owned()));
        }
    }
    let parent = tree.modules[parent].file.display();
    bail!("{parent}: the module {} has no file", child.ident)
}

/// Returns the value of a `#[path = "…"]`.
fn path_attribute(attribute: &Attribute) -> Option<String> {
    let Meta::NameValue(pair) = &attribute.meta else {
        return None;
    };
    let Expr::Lit(value) = &pair.value else {
        return None;
    };
    match &value.lit {
        Lit::Str(path) if pair.path.is_ident("path") => Some(path.value()),
        _ => None,
    }
}

/// Returns the name that an item gives its module, `use` and `mod` left aside.
fn declared(item: &Item) -> Option<(String, Kind)> {
    let (name, kind) = match item {
        Item::Const(item) => (&item.ident, Kind::Value),
        Item::Enum(item) => (&item.ident, Kind::Type),
        Item::Fn(item) => (&item.sig.ident, Kind::Value),
        Item::Macro(item) => (item.ident.as_ref()?, Kind::Value),
        Item::Static(item) => (&item.ident, Kind::Value),
        Item::Struct(item) => (&item.ident, Kind::Type),
        Item::Trait(item) => (&item.ident, Kind::Type),
        Item::TraitAlias(item) => (&item.ident, Kind::Type),
        Item::Type(item) => (&item.ident, Kind::Type),
        Item::Union(item) => (&item.ident, Kind::Type),
        _ => return None,
    };
    Some((name.to_string(), kind))
}

#[derive(Default)]
struct Visitor {
    uses: Vec<Use>,
    paths: Vec<PathUse>,
}

impl Visitor {
    fn path(&mut self, path: &syn::Path, called: bool) {
        if path.leading_colon.is_none() {
            let names = path.segments.iter().map(|part| part.ident.to_string());
            self.paths.push(PathUse {
                path: names.collect(),
                called,
                line: path.span().start().line,
            });
        }
    }

    fn use_tree(&mut self, tree: &UseTree, prefix: &[String], reexport: bool) {
        let line = tree.span().start().line;
        let leaf = |path: Vec<String>, name: Option<String>, form| Use {
            path,
            name,
            form,
            reexport,
            line,
        };
        let joined = |name: &syn::Ident| [prefix, &[name.to_string()]].concat();
        let named = |ident: &syn::Ident, name: Option<String>| match ident == "self" {
            true => leaf(
                prefix.to_vec(),
                name.or(prefix.last().cloned()),
                Form::Module,
            ),
            false => leaf(joined(ident), name.or(Some(ident.to_string())), Form::Name),
        };
        match tree {
            UseTree::Path(path) => self.use_tree(&path.tree, &joined(&path.ident), reexport),
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.use_tree(tree, prefix, reexport);
                }
            }
            UseTree::Glob(_) => self.uses.push(leaf(prefix.to_vec(), None, Form::Glob)),
            UseTree::Name(name) => self.uses.push(named(&name.ident, None)),
            UseTree::Rename(rename) => {
                let mut leaf = named(&rename.ident, Some(rename.rename.to_string()));
                leaf.name = leaf.name.filter(|name| name != "_");
                self.uses.push(leaf);
            }
        }
    }
}

impl<'ast> Visit<'ast> for Visitor {
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if item.leading_colon.is_none() {
            let reexport = !matches!(item.vis, syn::Visibility::Inherited);
            self.use_tree(&item.tree, &[], reexport);
        }
    }

    fn visit_item_macro(&mut self, item: &'ast ItemMacro) {
        match item.ident {
            // A macro's other paths are resolved where it is used.
            Some(_) => self.paths.extend(tokens::of_definition(&item.mac.tokens)),
            None => visit::visit_item_macro(self, item),
        }
    }

    fn visit_macro(&mut self, mac: &'ast syn::Macro) {
        self.path(&mac.path, true);
        self.paths.extend(tokens::paths(&mac.tokens));
    }

    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        if let Expr::Path(function) = &*call.func
            && function.qself.is_none()
        {
            self.path(&function.path, true);
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.path(path, false);
        visit::visit_path(self, path);
    }

    // Attributes and `pub(in …)` name no item.
    fn visit_attribute(&mut self, _: &'ast Attribute) {}
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}
}
