// SPDX-License-Identifier: GPL-2.0

//! Memory of processes in VMs.

mod area;
mod awaited;
mod basic;
mod dma;
mod files;
mod jobs;
mod kinds;
mod late;
mod moved;
mod other_mm;
mod pressed;
mod refused;
mod running;
mod swap;

use crate::harness::{Need, Suite, Tag};

pub(super) use area::{Area, Bound, HUGE};
pub(super) use basic::submit;
pub(super) use late::Late;
pub(super) use running::{LEAVER, leave};

pub(super) const SUITE: Suite = Suite {
    name: "userptr",
    needs: &[],
    tags: &[Tag::Userptr, Tag::Memory, Tag::Iommu, Tag::Long],
    tests: &[
        basic::TESTS,
        moved::TESTS,
        jobs::TESTS,
        running::TESTS,
        other_mm::TESTS,
        kinds::TESTS,
        files::TESTS,
        awaited::TESTS,
        refused::TESTS,
    ],
};

pub(super) const SWAPPED: Suite = Suite {
    name: "userptr-swap",
    needs: &[Need::Swap],
    tags: &[Tag::Userptr, Tag::Memory],
    tests: &[swap::TESTS, pressed::TESTS],
};

pub(super) const DMA: Suite = Suite {
    name: "userptr-dma",
    needs: &[],
    tags: &[Tag::Userptr, Tag::Dma],
    tests: &[dma::TESTS],
};
