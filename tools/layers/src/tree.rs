// SPDX-License-Identifier: GPL-2.0

//! The module's tree of Rust modules, read from its sources.

mod collect;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The crate root.
pub(crate) const ROOT: &str = "rust_gpu_ttm.rs";

/// The index of a module in [`Tree::modules`].
pub(crate) type Id = usize;

/// A Rust module: a file, or what braces hold in one.
#[derive(Debug, Default)]
pub(crate) struct Module {
    pub(crate) parent: Option<Id>,
    /// The file, by its path in the checkout.
    pub(crate) file: PathBuf,
    /// The folder of the files of its child modules.
    dir: PathBuf,
    /// The top-level module that it is in; none for the crate root.
    pub(crate) top: Option<Id>,
    pub(crate) children: BTreeMap<String, Id>,
    pub(crate) items: BTreeMap<String, Kind>,
    pub(crate) uses: Vec<Use>,
    pub(crate) paths: Vec<PathUse>,
}

/// The kinds of items that are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Type,
    Value,
}

/// One leaf of a `use` tree.
#[derive(Debug)]
pub(crate) struct Use {
    pub(crate) path: Vec<String>,
    /// The name that it binds, if any.
    pub(crate) name: Option<String>,
    pub(crate) form: Form,
    /// Others may import the name from here.
    pub(crate) reexport: bool,
    pub(crate) line: usize,
}

/// The form of a leaf of a `use` tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Name,
    /// `self` at the end: a module, and nothing else of its name.
    Module,
    Glob,
}

/// A path in an expression, a type, a pattern or a macro's tokens.
#[derive(Debug)]
pub(crate) struct PathUse {
    pub(crate) path: Vec<String>,
    /// It is called, or is a macro.
    pub(crate) called: bool,
    pub(crate) line: usize,
}

/// The modules of a crate; the first one is its root.
pub(crate) struct Tree {
    pub(crate) modules: Vec<Module>,
}

impl Tree {
    /// Reads the modules from the crate root `root` on. `read` returns a file's text, or none if
    /// there is no such file.
    ///
    /// # Errors
    ///
    /// A file is missing, or is not Rust.
    pub(crate) fn read(root: &Path, read: &dyn Fn(&Path) -> Option<String>) -> Result<Self> {
        let mut tree = Self {
            modules: vec![Module {
                file: root.to_owned(),
                dir: root.parent().unwrap_or(Path::new("")).to_owned(),
                ..Module::default()
            }],
        };
        let mut pending = vec![0];
        while let Some(id) = pending.pop() {
            let path = tree.modules[id].file.clone();
            let text = read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let file = syn::parse_file(&text).map_err(|error| {
                let line = error.span().start().line;
                anyhow::anyhow!("{}:{line}: {error}", path.display())
            })?;
            pending.extend(collect::collect(&mut tree, id, &file, read)?);
        }
        Ok(tree)
    }

    /// Adds the module `name` to its parent.
    fn add(&mut self, parent: Id, name: &str, file: PathBuf, dir: PathBuf) -> Id {
        let id = self.modules.len();
        self.modules.push(Module {
            parent: Some(parent),
            file,
            dir,
            top: self.modules[parent].top.or((parent == 0).then_some(id)),
            ..Module::default()
        });
        self.modules[parent].children.insert(name.to_owned(), id);
        id
    }

    /// Returns the name of the top-level module that `id` is in: that of its folder or file.
    pub(crate) fn node(&self, id: Id) -> Option<String> {
        let top = self.modules[id].top?;
        let (name, _) = self.modules[0]
            .children
            .iter()
            .find(|&(_, &child)| child == top)?;
        let file = format!("{name}.rs");
        match self.modules[top].file == Path::new(&file) {
            true => Some(file),
            false => Some(name.clone()),
        }
    }
}
