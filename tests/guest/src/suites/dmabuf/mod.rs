// SPDX-License-Identifier: GPL-2.0

//! Buffers shared with other devices, drivers and processes.

mod bounced;
mod display;
mod export;
mod identity;
mod import;
mod lifetime;
mod p2p;
mod sync;

pub(super) use bounced::SUITE as BOUNCED;
pub(super) use lifetime::TESTS as LIFETIMES;
pub(super) use p2p::{PEERS, STRANGERS};

use crate::harness::Suite;

pub(super) const SUITE: Suite = Suite {
    name: "dmabuf",
    tests: &[
        identity::TESTS,
        export::TESTS,
        import::TESTS,
        sync::TESTS,
        display::TESTS,
    ],
};
