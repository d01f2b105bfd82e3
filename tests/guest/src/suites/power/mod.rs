// SPDX-License-Identifier: GPL-2.0

//! Sleep of the system: the GPU loses VRAM, registers and page tables, and no client notices.

mod busy;
mod content;
mod hibernation;
mod refused;
mod residency;
mod share;
mod sleep;

use crate::harness::{Need, Suite, Tag};

pub(super) use refused::crowd;
pub(super) use sleep::Sleep;

pub(super) const SUITE: Suite = Suite {
    name: "power",
    needs: &[Need::LastOfBoot],
    tags: &[Tag::Long],
    tests: &[
        content::TESTS,
        residency::TESTS,
        busy::TESTS,
        refused::TESTS,
    ],
};

/// For a guest that has where the image can go.
pub(super) const HIBERNATION: Suite = Suite {
    name: "hibernation",
    needs: &[Need::Hibernation, Need::LastOfBoot],
    tags: &[],
    tests: &[hibernation::TESTS],
};
