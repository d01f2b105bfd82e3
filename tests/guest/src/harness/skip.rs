// SPDX-License-Identifier: GPL-2.0

//! Tests that do not apply where they run.

use std::fmt;

use anyhow::Result;

/// The error of a test that does not apply, and why.
#[derive(Debug)]
pub(super) struct Skipped(String);

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Skipped {}

/// Ends a test that does not apply here: it counts neither as passed nor as failed. The reason is
/// one line.
pub(crate) fn skip<T>(why: impl Into<String>) -> Result<T> {
    Err(Skipped(why.into()).into())
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::{Skipped, skip};

    #[test]
    fn what_a_helper_skips_is_skipped_in_any_context() {
        let outcome: super::Result<()> = skip("no swap");
        let error = outcome.context("cached GTT").unwrap_err();
        let skipped = error.downcast_ref::<Skipped>().unwrap();
        assert_eq!(skipped.to_string(), "no swap");
    }
}
