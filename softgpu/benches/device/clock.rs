// SPDX-License-Identifier: GPL-2.0

//! Times of work that is done many times.

use std::time::Instant;

/// Returns the nanoseconds that `work` takes.
pub(crate) fn time(work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed().as_secs_f64() * 1e9)
}

/// Returns the value in the middle, of at least one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Prints a figure.
pub(crate) fn row(name: &str, value: f64, unit: &str) {
    println!("{name}\t{value}\t{unit}");
}
