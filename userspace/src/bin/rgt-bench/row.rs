// SPDX-License-Identifier: MIT

//! The output.

use std::fmt::Display;

/// Prints a figure.
pub(crate) fn row(name: impl Display, value: impl Display, unit: &str) {
    println!("{name}\t{value}\t{unit}");
}

/// Prints a cost.
pub(crate) fn cost(name: impl Display, value: u64) {
    row(name, value, "instructions");
}
