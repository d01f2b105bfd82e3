// SPDX-License-Identifier: GPL-2.0

//! The caching of mappings. An emulated CPU has no caches whose effect could be seen, but page table
//! entries.

use anyhow::ensure;

use super::MAPPABLE;
use crate::expect::{each, same};
use crate::harness::{Outcome, Test, tests};
use crate::rig::{MIB, PAGE, Rig};
use crate::suites::observe::values_in_calls;

pub(super) const TESTS: &[Test] = tests![caching_is_that_of_the_memory];

/// The function that inserts PTEs, and the register of its fifth argument, their `pgprot_t`.
const INSERT: &str = "rust_gpu_ttm:rgt_vma_insert_pfns";
const ATTRIBUTES: &str = "%r8";
/// The bits of x86's entries that choose the caching, as Linux sets the table behind them up.
const CACHED: u64 = 0;
const WRITE_COMBINED: u64 = 1 << 3;
const CACHING: u64 = WRITE_COMBINED | 1 << 4 | 1 << 7;

fn caching_is_that_of_the_memory() -> Outcome {
    let rig = Rig::new()?;
    let kinds = MAPPABLE.into_iter().zip([
        WRITE_COMBINED,
        WRITE_COMBINED,
        CACHED,
        // In VRAM, where there is room.
        WRITE_COMBINED,
        CACHED,
    ]);
    each(
        kinds.map(|((name, make), wanted)| (name, (make, wanted))),
        |(make, wanted)| {
            for size in [PAGE, MIB] {
                let map = rig.bo(size, make)?.map()?;
                let all = values_in_calls(INSERT, ATTRIBUTES, || {
                    map.write(0, 1);
                    Ok(())
                })?;
                ensure!(!all.is_empty(), "no page was inserted");
                for attributes in all {
                    same("caching", attributes & CACHING, wanted)?;
                }
            }
            Ok(())
        },
    )
}
