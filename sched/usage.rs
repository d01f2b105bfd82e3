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

use super::turn::NextTurns;
use crate::hw::abi::limits::MAX_ENGINES;

/// A client's use of each engine.
pub(crate) struct Usage([EngineUsage; MAX_ENGINES as usize]);

struct EngineUsage {
    /// The device time of its completed jobs in nanoseconds.
    device_ns: Atomic<u64>,
    turns: NextTurns,
}

impl Usage {
    /// Makes one of no device time.
    pub(crate) fn new() -> Result<Arc<Self>> {
        let engines = core::array::from_fn(|_| EngineUsage {
            device_ns: Atomic::new(0),
            turns: NextTurns::new(),
        });

        Ok(Arc::new(Self(engines), GFP_KERNEL)?)
    }

    pub(super) fn add(&self, engine: u32, ns: u64) {
        if let Some(usage) = self.0.get(engine as usize) {
            usage.device_ns.fetch_add(ns, Relaxed);
        }
    }

    /// Returns the device time on an engine in nanoseconds.
    pub(crate) fn of(&self, engine: u32) -> u64 {
        self.0
            .get(engine as usize)
            .map_or(0, |usage| usage.device_ns.load(Relaxed))
    }

    /// Returns the client's turns on an engine.
    pub(super) fn turns(&self, engine: u32) -> Option<&NextTurns> {
        self.0.get(engine as usize).map(|usage| &usage.turns)
    }
}
