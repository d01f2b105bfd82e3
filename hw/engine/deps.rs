// SPDX-License-Identifier: GPL-2.0

//! What a job waits for.

use kernel::prelude::*;

use super::{
    packet,
    slots::Slots, //
};
use crate::hw::abi::{
    limits::MAX_ENGINES,
    packet::len, //
};

/// What has to be done before a job may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dependency {
    /// Nothing that the engine's order does not ensure.
    None,
    /// A job of another engine of this GPU: the engine waits for it.
    Engine {
        /// The other engine.
        engine: u32,
        /// The job's sequence number.
        seqno: u64,
    },
    /// Something else: the caller has to wait for it before it submits the job.
    Foreign,
}

/// The last job of each other engine that a job waits for; 0 is none.
#[derive(Clone, Copy)]
pub(super) struct Waits([u64; MAX_ENGINES as usize]);

impl Waits {
    /// Merges the dependencies of a job of engine `on`.
    pub(super) fn new(on: u32, dependencies: &[Dependency]) -> Result<Self> {
        let mut this = Self([0; _]);
        for dependency in dependencies {
            match *dependency {
                Dependency::None => {}
                Dependency::Engine { engine, .. } if engine == on => {}
                Dependency::Engine { engine, seqno } => {
                    let last = this.0.get_mut(engine as usize).ok_or(EINVAL)?;
                    *last = seqno.max(*last);
                }
                Dependency::Foreign => return Err(EINVAL),
            }
        }
        Ok(this)
    }

    fn iter(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        (0..).zip(self.0).filter(|&(_, seqno)| seqno != 0)
    }

    /// Length of the packets that wait.
    pub(super) fn dwords(&self) -> usize {
        self.iter().count() * len::WAIT as usize
    }

    /// The packets that wait.
    pub(super) fn packets<'a>(
        &'a self,
        slots: &'a Slots,
    ) -> impl Iterator<Item = [u32; len::WAIT as usize]> + 'a {
        self.iter()
            .map(|(engine, seqno)| packet::wait(slots.va(engine), seqno))
    }

    /// Whether there is nothing left to wait for.
    pub(super) fn are_over(&self, slots: &Slots) -> bool {
        self.iter()
            .all(|(engine, seqno)| slots.read(engine) >= seqno)
    }
}
