// SPDX-License-Identifier: GPL-2.0

//! What a client has had of the engines.

use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    }, //
};

use crate::hw::abi::limits::MAX_ENGINES;

/// Device time of all jobs of a client that are done, for each engine.
pub(crate) struct Usage([Atomic<u64>; MAX_ENGINES as usize]);

impl Usage {
    /// None yet.
    pub(crate) fn new() -> Result<Arc<Self>> {
        Ok(Arc::new(
            Self(core::array::from_fn(|_| Atomic::new(0))),
            GFP_KERNEL,
        )?)
    }

    pub(super) fn add(&self, engine: u32, ns: u64) {
        if let Some(sum) = self.0.get(engine as usize) {
            sum.fetch_add(ns, Relaxed);
        }
    }

    /// Nanoseconds of an engine.
    pub(crate) fn of(&self, engine: u32) -> u64 {
        self.0
            .get(engine as usize)
            .map_or(0, |sum| sum.load(Relaxed))
    }
}
