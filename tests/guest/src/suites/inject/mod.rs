// SPDX-License-Identifier: GPL-2.0

//! Every allocation, and every copy from and to user space, of every call fails once: the call says
//! so, leaves nothing behind, and no content is lost. What is left is memory in use, which the tests
//! see, or a leak, which the scan sees that ends each of their guests.

mod backup;
mod calls;
mod device;
mod fail;
mod faults;
mod moves;
mod symbols;
mod uapi;

use crate::harness::{Need, Suite, Tag};

pub(super) use faults::Sink;
pub(super) const SUITE: Suite = Suite {
    name: "inject",
    needs: &[Need::LeakScan],
    tags: &[Tag::Memory],
    tests: &[uapi::TESTS, calls::TESTS, moves::TESTS, faults::TESTS],
};

/// Probe, suspend and resume.
pub(super) const DEVICE: Suite = Suite {
    name: "inject-device",
    needs: &[Need::LastOfBoot, Need::LeakScan],
    tags: &[Tag::Memory, Tag::Long],
    tests: &[device::TESTS],
};

/// For a guest with swap.
pub(super) const BACKUP: Suite = Suite {
    name: "inject-backup",
    needs: &[Need::Swap, Need::LeakScan],
    tags: &[Tag::Memory],
    tests: &[backup::TESTS, backup::IN_PARTS],
};
