// SPDX-License-Identifier: GPL-2.0

//! The language of syzkaller's descriptions, as far as those of the uAPI use it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail, ensure};

/// Resources of syzkaller's own files, all of 32 bits.
const FOREIGN: [&str; 4] = ["drm_gem_handle", "drm_syncobj", "fd_dma_buf", "fd_dri"];

/// Flags of syzkaller's own files.
const FOREIGN_FLAGS: [&str; 2] = ["mmap_flags", "mmap_prot"];

/// A type, or a number or range in its place, with the arguments in its brackets.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Type {
    pub(super) name: String,
    pub(super) args: Vec<Type>,
}

impl Type {
    /// Takes a type from the beginning of a text.
    fn take(text: &mut &str) -> Result<Self> {
        let end = text.find(['[', ']', ',']).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        let name = name.trim().to_owned();
        ensure!(!name.is_empty(), "no type before {rest:?}");
        *text = rest;
        let mut args = Vec::new();
        if text.starts_with('[') {
            while !text.starts_with(']') {
                *text = text.get(1..).context("brackets are not closed")?;
                args.push(Self::take(text)?);
            }
            *text = &text[1..];
        }
        Ok(Self { name, args })
    }

    fn parse(mut text: &str) -> Result<Self> {
        let parsed = Self::take(&mut text)?;
        ensure!(text.trim().is_empty(), "{text:?} after a type");
        Ok(parsed)
    }

    /// This type with arguments in the place of a template's parameters.
    fn with(&self, params: &[String], values: &[Self]) -> Self {
        match params.iter().position(|param| *param == self.name) {
            Some(index) => values[index].clone(),
            None => Self {
                name: self.name.clone(),
                args: self.args.iter().map(|of| of.with(params, values)).collect(),
            },
        }
    }
}

/// A field of a structure, an option of a union, or an argument of a call.
pub(super) struct Field {
    pub(super) name: String,
    pub(super) of: Type,
}

impl Field {
    fn parse(text: &str) -> Result<Self> {
        let (name, of) = text
            .split_once(char::is_whitespace)
            .with_context(|| format!("{text:?} is no field"))?;
        // Directions say nothing about the layout.
        let of = of.trim_end_matches("(in)").trim_end_matches("(out)");
        Ok(Self {
            name: name.to_owned(),
            of: Type::parse(of)?,
        })
    }
}

/// A structure or union, or the template of structures.
struct Struct {
    params: Vec<String>,
    fields: Vec<Field>,
    is_union: bool,
    is_packed: bool,
}

/// A call.
pub(super) struct Call {
    pub(super) name: String,
    pub(super) args: Vec<Field>,
    returns: Option<Type>,
}

/// The place of a field.
#[derive(PartialEq, Eq)]
pub(super) struct Place {
    pub(super) name: String,
    pub(super) offset: u64,
    pub(super) size: u64,
}

/// The layout of a type.
#[derive(Default)]
pub(super) struct Layout {
    pub(super) size: u64,
    align: u64,
    pub(super) fields: Vec<Place>,
}

/// The types and flags that calls use, directly or through other types.
#[derive(Default)]
pub(super) struct Used {
    pub(super) types: BTreeSet<Type>,
    flags: BTreeSet<String>,
}

/// A file of descriptions.
#[derive(Default)]
pub(super) struct Descriptions {
    pub(super) calls: Vec<Call>,
    /// Resources and aliases, and what they stand for.
    aliases: BTreeMap<String, Type>,
    structs: BTreeMap<String, Struct>,
    flags: BTreeSet<String>,
}

impl Descriptions {
    /// Parses a file.
    ///
    /// # Errors
    ///
    /// It is not in the language, or in a part of it that is not known here.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let mut parsed = Self::default();
        let mut lines = text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with(['#', '_']))
            .filter(|line| !line.starts_with("include "));
        while let Some(line) = lines.next() {
            parsed
                .declaration(line, &mut lines)
                .with_context(|| line.to_owned())?;
        }
        Ok(parsed)
    }

    fn declaration<'a>(
        &mut self,
        line: &'a str,
        lines: &mut impl Iterator<Item = &'a str>,
    ) -> Result<()> {
        if let Some(resource) = line.strip_prefix("resource ") {
            let declared = resource.split(':').next().unwrap_or(resource);
            let Type { name, mut args } = Type::parse(declared)?;
            let base = args.pop().context("a resource has a base")?;
            self.aliases.insert(name, base);
        } else if line.ends_with(['{', '[']) {
            let is_union = line.ends_with('[');
            let head = line[..line.len() - 1].trim_start_matches("type ");
            let Type { name, args } = Type::parse(head)?;
            let mut fields = Vec::new();
            let end = loop {
                let line = lines.next().context("it does not end")?;
                match line.strip_prefix('\t') {
                    Some(field) => fields.push(Field::parse(field)?),
                    None => break line,
                }
            };
            let declared = Struct {
                params: args.into_iter().map(|param| param.name).collect(),
                fields,
                is_union,
                is_packed: end.ends_with("[packed]"),
            };
            self.structs.insert(name, declared);
        } else if let Some(alias) = line.strip_prefix("type ") {
            let Field { name, of } = Field::parse(alias)?;
            self.aliases.insert(name, of);
        } else if let Some((name, _)) = line.split_once(" = ") {
            self.flags.insert(name.to_owned());
        } else {
            let (name, rest) = line.split_once('(').context("nothing that is known")?;
            let (args, returns) = rest.rsplit_once(')').context("no end of arguments")?;
            let returns = match returns.trim() {
                "" => None,
                returns => Some(Type::parse(returns)?),
            };
            // Arguments are parsed as those of a type, with their names before their types.
            let args = Type::parse(&format!("call[{args}]"))?.args;
            let args = args.into_iter().map(|Type { name, args }| {
                let (name, of) = name.split_once(' ').context("an argument has a type")?;
                let (name, of) = (name.to_owned(), of.to_owned());
                let of = Type { name: of, args };
                Ok(Field { name, of })
            });
            self.calls.push(Call {
                name: name.to_owned(),
                args: args.collect::<Result<_>>()?,
                returns,
            });
        }
        Ok(())
    }

    /// The fields of a structure or union, or none, with a template's arguments in the place of its
    /// parameters.
    pub(super) fn fields(&self, of: &Type) -> Result<Vec<(&str, Type)>> {
        let Some(Struct { params, fields, .. }) = self.structs.get(&of.name) else {
            return Ok(Vec::new());
        };
        ensure!(params.len() == of.args.len(), "{}: arguments", of.name);
        let fields = fields.iter().map(|field| {
            let of = field.of.with(params, &of.args);
            (field.name.as_str(), of)
        });
        Ok(fields.collect())
    }

    /// Returns the types and flags that calls use.
    ///
    /// # Errors
    ///
    /// A type is not declared.
    pub(super) fn used(&self) -> Result<Used> {
        let mut used = Used::default();
        for call in &self.calls {
            let args = call.args.iter().map(|arg| &arg.of);
            for of in args.chain(&call.returns) {
                self.visit(of, &mut used)
                    .with_context(|| call.name.clone())?;
            }
        }
        Ok(used)
    }

    /// The declarations that no call uses, which syzkaller refuses.
    pub(super) fn unused<'a>(&'a self, used: &'a Used) -> impl Iterator<Item = &'a str> {
        let types: BTreeSet<_> = used.types.iter().map(|of| of.name.as_str()).collect();
        let declared = self.aliases.keys().chain(self.structs.keys());
        let declared = declared.map(String::as_str);
        let flags = self.flags.difference(&used.flags).map(String::as_str);
        declared
            .filter(move |name| !types.contains(name))
            .chain(flags)
    }

    fn visit(&self, of: &Type, used: &mut Used) -> Result<()> {
        if !used.types.insert(of.clone()) {
            return Ok(());
        }
        if let Some(alias) = self.aliases.get(&of.name) {
            return self.visit(alias, used);
        }
        if self.structs.contains_key(&of.name) {
            for (_, field) in self.fields(of)? {
                self.visit(&field, used)?;
            }
            return Ok(());
        }
        match of.name.as_str() {
            "ptr" | "ptr64" => self.visit(of.args.get(1).context("no target")?, used),
            "array" => self.visit(of.args.first().context("no entries")?, used),
            "flags" => {
                let name = &of.args.first().context("no flags")?.name;
                let known = self.flags.contains(name) || FOREIGN_FLAGS.contains(&name.as_str());
                ensure!(known, "unknown flags {name}");
                used.flags.insert(name.clone());
                Ok(())
            }
            "int8" | "int16" | "int32" | "int64" | "vma" | "vma64" | "const" | "len"
            | "bytesize" | "bytesize4" | "string" | "fd" => Ok(()),
            name if FOREIGN.contains(&name) => Ok(()),
            name => bail!("unknown type {name}"),
        }
    }

    /// The layout of a type that has one size.
    pub(super) fn layout(&self, of: &Type) -> Result<Layout> {
        let scalar = |size| Layout {
            size,
            align: size,
            fields: Vec::new(),
        };
        if let Some(alias) = self.aliases.get(&of.name) {
            return self.layout(alias);
        }
        if let Some(declared) = self.structs.get(&of.name) {
            return self.layout_of_fields(declared, of);
        }
        Ok(match of.name.as_str() {
            "int8" => scalar(1),
            "int16" => scalar(2),
            "int32" => scalar(4),
            "int64" | "ptr64" | "vma64" => scalar(8),
            "const" | "flags" | "len" | "bytesize" | "bytesize4" => {
                return self.layout(of.args.last().context("no type of its value")?);
            }
            "array" => {
                let [entry, count] = &of.args[..] else {
                    bail!("an array of no certain length");
                };
                let Layout { size, align, .. } = self.layout(entry)?;
                let count: u64 = count.name.parse().context("the length of an array")?;
                Layout {
                    size: size * count,
                    align,
                    fields: Vec::new(),
                }
            }
            name if FOREIGN.contains(&name) => scalar(4),
            name => bail!("{name} has no size"),
        })
    }

    fn layout_of_fields(&self, declared: &Struct, of: &Type) -> Result<Layout> {
        let mut layout = Layout {
            align: 1,
            ..Layout::default()
        };
        let mut end = 0;
        for (name, field) in self.fields(of)? {
            let Layout { size, align, .. } = self.layout(&field)?;
            let align = if declared.is_packed { 1 } else { align };
            let offset = match declared.is_union {
                true => 0,
                false => u64::next_multiple_of(end, align),
            };
            end = end.max(offset + size);
            layout.align = layout.align.max(align);
            layout.fields.push(Place {
                name: name.to_owned(),
                offset,
                size,
            });
        }
        layout.size = end.next_multiple_of(layout.align);
        Ok(layout)
    }
}
