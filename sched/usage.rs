// SPDX-License-Identifier: GPL-2.0

//! Use of the engines by a client.

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

/// Device time of a client's completed jobs, per engine.
pub(crate) struct Usage([Atomic<u64>; MAX_ENGINES as usize]);

impl Usage {
    /// Makes one of no device time.
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

    /// Returns the device time on an engine in nanoseconds.
    pub(crate) fn of(&self, engine: u32) -> u64 {
        self.0
            .get(engine as usize)
            .map_or(0, |sum| sum.load(Relaxed))
    }
}
