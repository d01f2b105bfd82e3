// SPDX-License-Identifier: GPL-2.0

//! The caller's choice of suites.

use std::env;

use anyhow::{Context, Result, ensure};

/// The names of suites and groups, one test of them, and when to stop.
#[derive(Debug, Clone, Default)]
pub(crate) struct Choice {
    names: Vec<String>,
    /// `TEST`: the only test to run of these suites.
    pub(crate) test: Option<String>,
    /// `FAILFAST`: nothing more is run after the first failure.
    pub(crate) fail_fast: bool,
}

impl Choice {
    /// Takes the names out of words, which commas may separate, too, and the rest from the
    /// environment.
    pub(crate) fn from_env(words: &[String]) -> Result<Self> {
        let var = |name| match env::var(name) {
            Err(env::VarError::NotPresent) => Ok(String::new()),
            value => value.with_context(|| format!("{name} is not text")),
        };
        Self::new(words, &var("TEST")?, &var("FAILFAST")?)
    }

    fn new(words: &[String], test: &str, fail_fast: &str) -> Result<Self> {
        let names = words.iter().flat_map(|words| words.split([',', ' ']));
        let names = names.filter(|name| !name.is_empty());
        let choice = Self {
            names: names.map(str::to_owned).collect(),
            test: Some(test.to_owned()).filter(|test| !test.is_empty()),
            fail_fast: !["", "0"].contains(&fail_fast),
        };
        ensure!(
            choice.test.is_none() || !choice.is_all(),
            "TEST= is a test of the suites that SUITE= names, and that names none"
        );
        Ok(choice)
    }

    /// A choice of one name.
    pub(crate) fn one(name: &str) -> Self {
        Self {
            names: vec![name.to_owned()],
            ..Self::default()
        }
    }

    /// Whether nothing is named, which is to run everything.
    pub(crate) fn is_all(&self) -> bool {
        self.names.is_empty()
    }

    /// The names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Whether a name is among them.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.names.iter().any(|it| it == name)
    }
}

#[cfg(test)]
impl Choice {
    /// A choice of these names, by blanks or commas.
    pub(crate) fn of(names: &str) -> Self {
        Self::new(&[names.to_owned()], "", "").unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::Choice;

    #[test]
    fn names_are_words_or_lists() {
        let words = ["evict moves", "gem,cs", ""].map(str::to_owned);
        let choice = Choice::new(&words, "", "0").unwrap();
        assert_eq!(
            choice.names().collect::<Vec<_>>(),
            ["evict", "moves", "gem", "cs"]
        );
        assert!(choice.has("cs") && !choice.has("c"));
        assert!(!choice.is_all() && !choice.fail_fast && choice.test.is_none());
        assert!(Choice::of("").is_all());
        assert!(Choice::new(&[], "", "1").unwrap().fail_fast);
    }

    #[test]
    fn a_test_is_one_of_a_suite() {
        let choice = Choice::new(&["gem".to_owned()], "create", "").unwrap();
        assert_eq!(choice.test.as_deref(), Some("create"));
        assert!(Choice::new(&[], "create", "").is_err());
    }
}
