// SPDX-License-Identifier: GPL-2.0

//! What the caller asked for by variables, of every task that it means something to.

use std::env;

use anyhow::{Context, Result, anyhow};
use clap::ValueEnum;

use crate::kernel::Flavour;

/// The variables' values.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// `KERNEL`: the kernel to use in place of a task's own choice.
    flavour: Option<Flavour>,
    /// `APPEND`: words for the command line of every guest's kernel.
    pub(crate) append: Vec<String>,
}

impl Options {
    /// Takes them from the environment.
    pub(crate) fn from_env() -> Result<Self> {
        let var = |name| match env::var(name) {
            Err(env::VarError::NotPresent) => Ok(None),
            value => value
                .map(|value| Some(value).filter(|value| !value.is_empty()))
                .with_context(|| format!("{name} is not text")),
        };
        Ok(Self {
            flavour: var("KERNEL")?.as_deref().map(named).transpose()?,
            append: var("APPEND")?
                .map(|words| words.split_whitespace().map(str::to_owned).collect())
                .unwrap_or_default(),
        })
    }

    /// Returns the caller's choice, or `own`, that of the task.
    pub(crate) fn flavour(&self, own: Flavour) -> Flavour {
        self.flavour.unwrap_or(own)
    }
}

/// Returns the kernel of that name.
fn named(name: &str) -> Result<Flavour> {
    Flavour::from_str(name, false).map_err(|_| {
        let names = Flavour::value_variants()
            .iter()
            .map(|flavour| flavour.name());
        let names: Vec<_> = names.collect();
        anyhow!(
            "there is no KERNEL={name}; there are {}",
            names.join(" and ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn a_kernel_that_is_not_there_is_told_with_those_that_are() {
        assert_eq!(named("debug").unwrap().name(), "debug");
        let error = named("fast").unwrap_err().to_string();
        assert_eq!(error, "there is no KERNEL=fast; there are plain and debug");
    }
}
