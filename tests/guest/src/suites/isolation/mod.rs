// SPDX-License-Identifier: GPL-2.0

//! A client sees its own memory and what others share with it, and nothing else.

mod dead;
mod figures;
mod gone;
mod moves;
mod numbers;
mod others;
mod reader;

pub(super) use dead::{VICTIM, die};

use std::time::Duration;

use crate::harness::{Suite, Tag};
use crate::rig::MIB;

pub(super) const SUITE: Suite = Suite {
    name: "isolation",
    needs: &[],
    tags: &[Tag::Memory],
    tests: &[
        dead::TESTS,
        gone::TESTS,
        moves::TESTS,
        numbers::TESTS,
        figures::TESTS,
    ],
};

/// Bytes of most BOs.
const CHUNK: u64 = 2 * MIB;
/// Words of the client that must not see others'.
const OWN: u32 = 0x1111_1111;
/// Words of others.
const SECRET: u32 = 0x5ec4_e700;
/// Words that the client writes where it may have no memory any more.
const STRAY: u32 = 0xbadb_adba;
/// As long as a job takes that runs until all is done.
const LENGTH: Duration = Duration::from_secs(5);
