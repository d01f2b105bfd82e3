// SPDX-License-Identifier: GPL-2.0

//! Doc comments, without Rust's links.

use std::sync::LazyLock;

use anyhow::{Result, bail};
use regex::{Captures, Regex};
use syn::{Attribute, Expr, Lit, Meta};

/// A link, with or without its target.
static LINK: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\[`([^`\]]+)`\](?:\(([^)]+)\))?").expect("a valid pattern"));
/// The line that says where a link goes.
static TARGET: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^\[[^\]]+\]: ").expect("a valid pattern"));

/// The text of a doc comment.
#[derive(Clone)]
pub(crate) struct Doc {
    text: String,
}

impl Doc {
    /// The documentation in the attributes of an item.
    ///
    /// # Errors
    ///
    /// The item has no doc comment.
    pub(crate) fn of(attributes: &[Attribute]) -> Result<Self> {
        let mut lines = Vec::new();
        for attribute in attributes {
            if let Meta::NameValue(pair) = &attribute.meta
                && pair.path.is_ident("doc")
                && let Expr::Lit(literal) = &pair.value
                && let Lit::Str(text) = &literal.lit
            {
                let text = text.value();
                lines.push(text.strip_prefix(' ').unwrap_or(&text).to_owned());
            }
        }
        lines.retain(|line| !TARGET.is_match(line));
        if lines.is_empty() {
            bail!("an item without a doc comment");
        }
        Ok(Self {
            text: lines.join("\n"),
        })
    }

    /// Its paragraphs up to an example, each in one line. `name` gives what is written for the path
    /// of a link.
    pub(crate) fn paragraphs(&self, name: impl Fn(&str) -> String) -> Vec<String> {
        let prose = self.text.split("```").next().unwrap_or_default();
        let paragraphs = prose.split("\n\n").map(|paragraph| {
            let line = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
            let line = LINK.replace_all(&line, |link: &Captures<'_>| {
                name(link.get(2).map_or(&link[1], |target| target.as_str()))
            });
            line.into_owned()
        });
        paragraphs.filter(|line| !line.is_empty()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Doc;

    #[test]
    fn links_are_replaced() {
        let text = "\
/// See [`A`], [`pte::B`](super::pte::B) and
/// `C`.
///
/// More.
///
/// ```
/// code
/// ```
///
/// [`A`]: super::A
pub const X: u32 = 0;";
        let item: syn::ItemConst = syn::parse_str(text).unwrap();
        let doc = Doc::of(&item.attrs).unwrap();
        assert_eq!(
            doc.paragraphs(|path| format!("<{path}>")),
            ["See <A>, <super::pte::B> and `C`.", "More."]
        );
    }
}
