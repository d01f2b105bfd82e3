// SPDX-License-Identifier: GPL-2.0

//! What a job has to wait for.

use crate::{
    hw::{
        Dependency,
        Engine,
        Gpu, //
    },
    rust::{
        dma_fence::Fence,
        dma_resv::{
            LockedResv,
            Usage, //
        }, //
    },
};
use kernel::{
    prelude::*,
    sync::aref::ARef,
    time::Jiffies, //
};

/// The dependencies of a job: the engine waits for other engines of its GPU, the CPU for others.
pub(crate) struct Dependencies<'a> {
    gpu: &'a Gpu,
    engine: &'a Engine,
    list: KVVec<Dependency>,
    foreign: KVec<ARef<Fence>>,
}

impl<'a> Dependencies<'a> {
    pub(crate) fn new(gpu: &'a Gpu, engine: &'a Engine) -> Self {
        Self {
            gpu,
            engine,
            list: KVVec::new(),
            foreign: KVec::new(),
        }
    }

    /// Adds all fences of a usage, and of the more important ones, of a reservation.
    pub(crate) fn add(&mut self, resv: &LockedResv<'_>, usage: Usage) -> Result {
        resv.for_each_fence(usage, |fence| {
            match self.gpu.dependency(fence, self.engine) {
                Dependency::None => {}
                Dependency::Foreign => self.foreign.push(fence.into(), GFP_KERNEL)?,
                dependency => self.list.push(dependency, GFP_KERNEL)?,
            }
            Ok(())
        })
    }

    /// Waits for what the engine cannot wait for, and returns the rest.
    pub(crate) fn wait_foreign(self, interruptible: bool) -> Result<KVVec<Dependency>> {
        for fence in &self.foreign {
            fence.wait(interruptible, Jiffies::MAX)?;
        }
        Ok(self.list)
    }
}
