// SPDX-License-Identifier: GPL-2.0

//! Parts of a page that are made here, between two lines that stay.

use anyhow::{Context, Result};

/// Puts `part` between the lines `begin` and `end`.
///
/// # Errors
///
/// The page does not have them.
pub(crate) fn replace(page: &str, begin: &str, end: &str, part: &str) -> Result<String> {
    let (before, rest) = page
        .split_once(begin)
        .with_context(|| format!("there is no line {begin}"))?;
    let (_, after) = rest
        .split_once(end)
        .with_context(|| format!("there is no line {end}"))?;
    Ok(format!("{before}{begin}{part}{end}{after}"))
}
