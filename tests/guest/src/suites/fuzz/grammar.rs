// SPDX-License-Identifier: GPL-2.0

//! The uAPI, by the list that is compared with its header.

use anyhow::{Context, Result};

/// The list, which `make generate` makes.
const LAYOUT: &str = include_str!("../../../../uapi/layout.txt");

/// A field of a structure.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) at: usize,
    pub(super) size: usize,
}

/// A structure.
pub(super) struct Struct {
    name: &'static str,
    pub(super) size: usize,
    pub(super) fields: Vec<Field>,
}

/// An ioctl.
pub(super) struct Call {
    pub(super) number: u32,
    /// The structure's name without its prefix.
    pub(super) name: &'static str,
    /// Its index among the structures.
    pub(super) structure: usize,
}

/// The uAPI.
pub(super) struct Grammar {
    pub(super) structs: Vec<Struct>,
    pub(super) calls: Vec<Call>,
    /// The values of all constants that are not numbers of ioctls.
    pub(super) constants: Vec<u64>,
}

const PREFIX: &str = "drm_rgt_";

impl Grammar {
    pub(super) fn new() -> Result<Self> {
        let mut this = Self {
            structs: vec![],
            calls: vec![],
            constants: vec![],
        };
        for line in LAYOUT.lines() {
            this.line(line).with_context(|| line.to_owned())?;
        }
        Ok(this)
    }

    fn line(&mut self, line: &'static str) -> Result<()> {
        if let Some(head) = line.strip_prefix("struct ") {
            let (name, size) = head.split_once(": ").context("no size")?;
            self.structs.push(Struct {
                name: name.strip_prefix(PREFIX).context("no prefix")?,
                size: number_before(size, " bytes")?,
                fields: vec![],
            });
        } else if let Some(field) = line.strip_prefix('\t') {
            let (name, rest) = field.split_once(": at ").context("no place")?;
            let (at, size) = rest.split_once(", ").context("no size")?;
            let of = self.structs.last_mut().context("no structure")?;
            of.fields.push(Field {
                name,
                at: at.parse()?,
                size: number_before(size, " bytes")?,
            });
        } else if let Some((name, value)) = line.split_once(" = ") {
            let value = match value.strip_prefix("0x") {
                Some(digits) => u64::from_str_radix(digits, 16)?,
                None => value.parse()?,
            };
            match name.strip_prefix("DRM_IOCTL_RGT_") {
                Some(name) => {
                    let name = name.to_lowercase();
                    let structure = self.find(&name).context("no structure")?;
                    self.calls.push(Call {
                        number: value.try_into()?,
                        name: self.structs[structure].name,
                        structure,
                    });
                }
                None => self.constants.push(value),
            }
        }
        Ok(())
    }

    /// The index of a structure, by its name without the prefix.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.structs.iter().position(|it| it.name == name)
    }
}

fn number_before(text: &str, unit: &str) -> Result<usize> {
    Ok(text.strip_suffix(unit).context("no unit")?.parse()?)
}

#[cfg(test)]
mod tests {
    use super::Grammar;

    #[test]
    fn each_ioctl_has_its_structure() {
        let grammar = Grammar::new().unwrap();
        assert_eq!(grammar.calls.len(), 15);
        for call in &grammar.calls {
            let size = grammar.structs[call.structure].size;
            assert_eq!(call.number >> 16 & 0x3fff, size as u32, "{}", call.name);
        }
        assert!(grammar.constants.len() > 50);
    }
}
