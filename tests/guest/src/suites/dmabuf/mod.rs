// SPDX-License-Identifier: GPL-2.0

//! Buffers shared with other devices, drivers and processes.

mod bounced;
mod display;
mod export;
mod handover;
mod identity;
mod import;
mod importer;
mod lifetime;
mod p2p;
mod qxl;
mod sync;
mod three;

pub(super) use bounced::SUITE as BOUNCED;
pub(super) use handover::{GIVER, give};
pub(super) use importer::{IMPORTER, import};
pub(super) use lifetime::TESTS as LIFETIMES;
pub(super) use p2p::{NO_P2P, P2P};
pub(super) use qxl::SUITE as QXL;
pub(super) use three::SUITE as THREE;

use crate::harness::{Suite, Tag};

pub(super) const SUITE: Suite = Suite {
    name: "dmabuf",
    needs: &[],
    tags: &[Tag::Dmabuf],
    tests: &[
        identity::TESTS,
        export::TESTS,
        import::TESTS,
        sync::TESTS,
        display::TESTS,
        handover::TESTS,
    ],
};
