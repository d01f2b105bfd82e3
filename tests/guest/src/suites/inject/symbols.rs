// SPDX-License-Identifier: GPL-2.0

//! Where code is in the kernel.

use std::fs;
use std::ops::Range;

use anyhow::{Context, Result};

const SYMBOLS: &str = "/proc/kallsyms";
/// The module of the driver, as the list has it.
const DRIVER: &str = "[rust_gpu_ttm]";

/// The addresses of a function of the kernel's.
pub(super) fn of_function(name: &str) -> Result<Range<u64>> {
    of(|symbol| symbol == name).with_context(|| format!("there is no {name}()"))
}

/// The addresses of the driver's functions.
pub(super) fn of_driver() -> Result<Range<u64>> {
    of(|symbol| symbol.ends_with(DRIVER)).context("the driver is not loaded")
}

/// The addresses from the first chosen function to the one behind the last.
fn of(chosen: impl Fn(&str) -> bool) -> Result<Range<u64>> {
    let list = fs::read_to_string(SYMBOLS)?;
    let mut functions: Vec<_> = list.lines().filter_map(function).collect();
    functions.sort_unstable();
    let is_chosen = |&(_, symbol): &(u64, &str)| chosen(symbol);
    let first = functions.iter().position(is_chosen);
    let last = functions.iter().rposition(is_chosen);
    let (first, last) = first.zip(last).context("no such symbol")?;
    let (start, end) = (functions[first].0, functions[last].0);
    let behind = functions[last..].iter().find(|(at, _)| *at > end);
    // Nothing is behind the last one of all.
    Ok(start..behind.map_or(u64::MAX, |(at, _)| *at))
}

/// The address and the name of a function, with its module behind it, out of its line.
fn function(line: &str) -> Option<(u64, &str)> {
    let (address, rest) = line.split_once(' ')?;
    let (kind, symbol) = rest.split_once(' ')?;
    let address = u64::from_str_radix(address, 16).ok()?;
    kind.eq_ignore_ascii_case("t").then_some((address, symbol))
}
