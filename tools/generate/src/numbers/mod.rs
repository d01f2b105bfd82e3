// SPDX-License-Identifier: GPL-2.0

//! The device's numbers, read from the sources of their crate.

mod doc;
mod value;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use syn::{Expr, Item, ItemConst, ItemFn, Type, Visibility};

pub(crate) use self::doc::Doc;
use self::value::Resolver;

/// All of them.
pub(crate) struct Numbers {
    /// The documentation of the crate.
    pub(crate) doc: Doc,
    /// Its modules, in the order of their names; one in another follows that.
    pub(crate) topics: Vec<Topic>,
}

/// A module of the crate.
pub(crate) struct Topic {
    /// Its path in the crate.
    pub(crate) path: Vec<String>,
    pub(crate) doc: Doc,
    pub(crate) constants: Vec<Constant>,
    pub(crate) functions: Vec<ItemFn>,
}

/// A number.
pub(crate) struct Constant {
    pub(crate) name: String,
    pub(crate) doc: Doc,
    pub(crate) value: u64,
    /// Its type has 64 bits on every machine.
    pub(crate) wide: bool,
    /// The least number of hexadecimal digits; 0 if it is written in decimal.
    pub(crate) hex: usize,
}

impl Constant {
    /// The value as the source writes it: in decimal or in hexadecimal.
    pub(crate) fn figure(&self) -> String {
        match self.hex {
            0 => self.value.to_string(),
            digits => format!("{:#0width$x}", self.value, width = digits + 2),
        }
    }
}

impl Numbers {
    /// Reads the sources in the folder `src`.
    ///
    /// # Errors
    ///
    /// A file cannot be read or parsed, or has an item that is not understood.
    pub(crate) fn read(src: &Path) -> Result<Self> {
        let root = parse(&src.join("lib.rs"))?;
        let mut modules = Vec::new();
        for item in root.items {
            let Item::Mod(module) = item else {
                bail!("lib.rs has more than modules");
            };
            let name = module.ident.to_string();
            let file = parse(&src.join(format!("{name}.rs")))?;
            collect(vec![name], Doc::of(&file.attrs)?, file.items, &mut modules)?;
        }
        let resolver = Resolver::new(modules.iter().flat_map(|module| {
            let constants = module.constants.iter();
            constants.map(|constant| (module.path.as_slice(), constant))
        }));
        let topics = modules.iter().map(|module| module.topic(&resolver));
        Ok(Self {
            doc: Doc::of(&root.attrs)?,
            topics: topics.collect::<Result<_>>()?,
        })
    }

    /// The module and the constant that a doc comment of the module `from` names by `path`.
    pub(crate) fn linked(&self, from: &Topic, path: &str) -> Option<(&Topic, &Constant)> {
        let steps: Vec<&str> = path.split("::").collect();
        let up = steps.iter().take_while(|&&step| step == "super").count();
        let (name, module) = steps[up..].split_last()?;
        let base = match (up, module) {
            // One without a target, from the crate's root.
            (0, [_, ..]) => &[][..],
            _ => from.path.get(..from.path.len().checked_sub(up)?)?,
        };
        let base = base.iter().map(String::as_str);
        let topic = self.topic(&base.chain(module.iter().copied()).collect::<Vec<_>>())?;
        Some((topic, topic.constant(name)?))
    }

    /// The module at `path`.
    pub(crate) fn topic(&self, path: &[&str]) -> Option<&Topic> {
        self.topics.iter().find(|topic| topic.path == path)
    }
}

impl Topic {
    /// The constant of that name.
    pub(crate) fn constant(&self, name: &str) -> Option<&Constant> {
        self.constants.iter().find(|constant| constant.name == name)
    }
}

/// A module whose constants have no values yet.
struct Module {
    path: Vec<String>,
    doc: Doc,
    constants: Vec<ItemConst>,
    functions: Vec<ItemFn>,
}

impl Module {
    fn topic(&self, resolver: &Resolver<'_>) -> Result<Topic> {
        let constants = self.constants.iter().map(|constant| {
            let about = || format!("{}::{}", self.path.join("::"), constant.ident);
            Ok(Constant {
                name: constant.ident.to_string(),
                doc: Doc::of(&constant.attrs).with_context(about)?,
                value: resolver
                    .value(&self.path, &constant.expr)
                    .with_context(about)?,
                wide: matches!(&*constant.ty, Type::Path(ty) if ty.path.is_ident("u64")),
                hex: hex_digits(&constant.expr),
            })
        });
        Ok(Topic {
            path: self.path.clone(),
            doc: self.doc.clone(),
            constants: constants.collect::<Result<_>>()?,
            functions: self.functions.clone(),
        })
    }
}

fn parse(file: &Path) -> Result<syn::File> {
    let about = || format!("cannot read {}", file.display());
    syn::parse_file(&fs::read_to_string(file).with_context(about)?).with_context(about)
}

/// Takes the public items of a module apart.
fn collect(path: Vec<String>, doc: Doc, items: Vec<Item>, all: &mut Vec<Module>) -> Result<()> {
    let mut module = Module {
        path,
        doc,
        constants: Vec::new(),
        functions: Vec::new(),
    };
    let mut inner = Vec::new();
    for item in items {
        match item {
            Item::Const(item) if matches!(item.vis, Visibility::Public(_)) => {
                module.constants.push(item);
            }
            Item::Fn(item) if matches!(item.vis, Visibility::Public(_)) => {
                module.functions.push(item);
            }
            Item::Mod(item) if item.content.is_some() => inner.push(item),
            _ => bail!("{} has an item of another kind", module.path.join("::")),
        }
    }
    let path = module.path.clone();
    all.push(module);
    for item in inner {
        let path = [path.as_slice(), &[item.ident.to_string()]].concat();
        let items = item.content.map_or_else(Vec::new, |(_, items)| items);
        collect(path, Doc::of(&item.attrs)?, items, all)?;
    }
    Ok(())
}

/// How many digits the source writes, if hexadecimal ones; bits and sizes that are shifted count as
/// that.
fn hex_digits(expr: &Expr) -> usize {
    match expr {
        Expr::Lit(literal) => match &literal.lit {
            syn::Lit::Int(int) => {
                let text = int.to_string().replace('_', "");
                let digits = text.strip_prefix("0x");
                digits.map_or(0, |digits| digits.len() - int.suffix().len())
            }
            _ => 0,
        },
        Expr::Binary(binary) if matches!(binary.op, syn::BinOp::Shl(_)) => 1,
        Expr::Binary(binary) => hex_digits(&binary.left).max(hex_digits(&binary.right)),
        Expr::Paren(inner) => hex_digits(&inner.expr),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_the_compilers() {
        use softgpu_abi::{cost, limits, packet, pci, pte, regs};

        let numbers = Numbers::read(&crate::root().join("hw/abi/src")).unwrap();
        let number = |path: &[&str], name| {
            let constant = numbers.topic(path).unwrap().constant(name);
            constant.unwrap_or_else(|| panic!("{name}")).value
        };
        for (path, name, value) in [
            (&["pci"][..], "VENDOR", u64::from(pci::VENDOR)),
            (&["pci"], "CLASS", u64::from(pci::CLASS)),
            (&["limits"], "MAX_VECTORS", limits::MAX_VECTORS.into()),
            (&["limits"], "RING_MAX", limits::RING_MAX.into()),
            (&["pte"], "ADDRESS", pte::ADDRESS),
            (&["pte"], "BLOCK_2M", pte::BLOCK_2M),
            (&["regs"], "ID_MAGIC", regs::ID_MAGIC.into()),
            (&["regs"], "ENGINE_BASE", regs::ENGINE_BASE as u64),
            (&["packet"], "COPY", packet::COPY.into()),
            (&["packet", "len"], "COPY", packet::len::COPY.into()),
            (&["cost"], "VRAM_BANDWIDTH", cost::VRAM_BANDWIDTH),
        ] {
            assert_eq!(number(path, name), value, "{name}");
        }
    }

    #[test]
    fn figures_are_written_as_in_the_source() {
        let expr = |text| hex_digits(&syn::parse_str(text).unwrap());
        assert_eq!(expr("0x00_1f"), 4);
        assert_eq!(expr("1 << 3"), 1);
        assert_eq!(expr("400_000"), 0);
        assert_eq!(expr("1 + MAX"), 0);
    }
}
