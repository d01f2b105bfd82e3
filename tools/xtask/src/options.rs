// SPDX-License-Identifier: GPL-2.0

//! The variables of the caller that are not of one task.

use std::env;

use anyhow::{Context, Result, anyhow};
use clap::ValueEnum;

use crate::guest::WantedAccel;
use crate::kernel::Flavour;

/// The variables' values.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// `KERNEL`: the kernel to use in place of a task's own choice.
    flavour: Option<Flavour>,
    /// `APPEND`: words for the command line of every guest's kernel.
    pub(crate) append: Vec<String>,
    /// `RGT_ACCEL`: what runs guests that do not count instructions.
    pub(crate) accel: WantedAccel,
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
            flavour: named("KERNEL", var("KERNEL")?)?,
            append: var("APPEND")?
                .map(|words| words.split_whitespace().map(str::to_owned).collect())
                .unwrap_or_default(),
            accel: named("RGT_ACCEL", var("RGT_ACCEL")?)?.unwrap_or_default(),
        })
    }

    /// Returns the caller's choice, or `own`, that of the task.
    pub(crate) fn flavour(&self, own: Flavour) -> Flavour {
        self.flavour.unwrap_or(own)
    }
}

/// Returns the choice of that name, if one is made.
fn named<T: ValueEnum>(variable: &str, name: Option<String>) -> Result<Option<T>> {
    let Some(name) = name else {
        return Ok(None);
    };
    T::from_str(&name, false).map(Some).map_err(|_| {
        let choices = T::value_variants().iter();
        let names: Vec<_> = choices
            .filter_map(|choice| Some(choice.to_possible_value()?.get_name().to_owned()))
            .collect();
        anyhow!(
            "there is no {variable}={name}; there are {}",
            names.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::named;
    use crate::guest::WantedAccel;
    use crate::kernel::Flavour;

    #[test]
    fn a_value_that_is_not_there_is_told_with_those_that_are() {
        let kernel = |name: &str| named::<Flavour>("KERNEL", Some(name.to_owned()));
        assert_eq!(kernel("debug").unwrap(), Some(Flavour::Debug));
        let error = kernel("fast").unwrap_err().to_string();
        assert_eq!(
            error,
            "there is no KERNEL=fast; there are plain, debug, kcsan"
        );

        let accel = |name: Option<&str>| named("RGT_ACCEL", name.map(str::to_owned));
        assert_eq!(accel(None).unwrap(), None);
        assert_eq!(accel(Some("kvm")).unwrap(), Some(WantedAccel::Kvm));
        let error = accel(Some("xen")).unwrap_err().to_string();
        assert_eq!(error, "there is no RGT_ACCEL=xen; there are auto, tcg, kvm");
    }
}
