// SPDX-License-Identifier: MIT

//! Jobs.

use crate::bo::Bo;
use crate::cmd::Ib;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::ioctl;
use crate::query::Engine;
use crate::syncobj::Sync;
use crate::uapi;
use crate::vm::Vm;

/// A job of an engine: indirect buffers in order, and the BOs that they use.
///
/// BOs that are private to the VM are part of every job of it and need not be named.
#[derive(Debug, Clone)]
#[must_use = "a job does nothing until it is submitted"]
pub struct Job {
    vm: Vm,
    context: Option<Context>,
    engine: u32,
    ibs: Vec<uapi::drm_rgt_cs_ib>,
    bos: Vec<uapi::drm_rgt_cs_bo>,
    waits: Vec<uapi::drm_rgt_sync>,
    signals: Vec<uapi::drm_rgt_sync>,
}

impl Job {
    /// An empty job.
    pub fn new(vm: &Vm, engine: Engine) -> Self {
        Self {
            vm: vm.clone(),
            context: None,
            engine: engine.id,
            ibs: Vec::new(),
            bos: Vec::new(),
            waits: Vec::new(),
            signals: Vec::new(),
        }
    }

    /// Makes it a job of a context.
    pub fn context(mut self, context: &Context) -> Self {
        self.context = Some(context.clone());
        self
    }

    /// Has it wait for a fence, which must be there when the job is submitted.
    pub fn wait_for(mut self, sync: Sync) -> Self {
        self.waits.push(sync.0);
        self
    }

    /// Puts the fence that tells its end there, when it is submitted.
    pub fn signal(mut self, sync: Sync) -> Self {
        self.signals.push(sync.0);
        self
    }

    /// Adds an indirect buffer after those it has.
    pub fn ib(mut self, ib: Ib) -> Self {
        self.ibs.push(uapi::drm_rgt_cs_ib {
            addr: ib.addr,
            dwords: ib.dwords,
            flags: 0,
        });
        self
    }

    /// Names a BO that the job reads.
    pub fn read(self, bo: &Bo) -> Self {
        self.uses(bo, 0)
    }

    /// Names a BO that the job writes, or reads and writes.
    pub fn write(self, bo: &Bo) -> Self {
        self.uses(bo, uapi::DRM_RGT_CS_BO_WRITE)
    }

    /// Names a BO with flags of the uAPI. Naming one again adds to its flags; naming a private one
    /// has no effect.
    pub fn uses(mut self, bo: &Bo, flags: u32) -> Self {
        if bo.is_private() {
            return self;
        }
        match self
            .bos
            .iter_mut()
            .find(|entry| entry.handle == bo.handle())
        {
            Some(entry) => entry.flags |= flags,
            None => self.bos.push(uapi::drm_rgt_cs_bo {
                handle: bo.handle(),
                flags,
            }),
        }
        self
    }

    /// Hands the job over. It runs after the jobs that its BOs make it wait for; a wait for any
    /// of them waits for it.
    ///
    /// The errno is `EAGAIN` when the context has as many jobs for the engine as it may: wait for
    /// one.
    pub fn submit(&self) -> Result<()> {
        let mut request = uapi::drm_rgt_cs {
            vm_id: self.vm.id(),
            ctx_id: self.context.as_ref().map_or(0, Context::id),
            engine: self.engine,
            ibs: uapi::drm_rgt_array::of(&self.ibs),
            bos: uapi::drm_rgt_array::of(&self.bos),
            in_syncs: uapi::drm_rgt_array::of(&self.waits),
            out_syncs: uapi::drm_rgt_array::of(&self.signals),
            ..Default::default()
        };
        // SAFETY: The kernel reads the arrays. What it writes are the words of user fences, which are
        // never freed.
        unsafe { ioctl::call_once(self.vm.device(), &mut request) }
            .map_err(|errno| Error::Os { call: "CS", errno })
    }
}
