// SPDX-License-Identifier: MIT

//! Contexts: streams of jobs that have an order, a priority, and one fate.

use std::sync::Arc;

use crate::device::Device;
use crate::error::Result;
use crate::query::ContextStatus;
use crate::uapi;

/// Which jobs go first when an engine has several to choose from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u32)]
pub enum Priority {
    /// Those that can wait.
    Low = uapi::DRM_RGT_CTX_PRIORITY_LOW,
    /// All others.
    #[default]
    Normal = uapi::DRM_RGT_CTX_PRIORITY_NORMAL,
    /// Jobs that a user waits for; takes CAP_SYS_NICE.
    High = uapi::DRM_RGT_CTX_PRIORITY_HIGH,
}

/// A context. Clones share it; the last one gives it up, which its jobs do not notice.
///
/// Its jobs on one engine run in the order of their submission. Once one of them faults or hangs
/// the GPU, it takes no more: [`status`](Self::status) tells why.
#[derive(Debug, Clone)]
pub struct Context {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    device: Device,
    id: u32,
}

impl Context {
    /// Makes a context.
    pub fn create(device: &Device, priority: Priority) -> Result<Self> {
        let mut request = uapi::drm_rgt_ctx_create {
            priority: priority as u32,
            ..Default::default()
        };
        device.call(&mut request)?;
        let inner = Inner {
            device: device.clone(),
            id: request.ctx_id,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Its number among the device's.
    pub fn id(&self) -> u32 {
        self.inner.id
    }

    /// Sets the priority of the jobs that are submitted from now on.
    pub fn set_priority(&self, priority: Priority) -> Result<()> {
        self.inner.device.call(&mut uapi::drm_rgt_ctx_set_property {
            ctx_id: self.inner.id,
            property: uapi::DRM_RGT_CTX_PROPERTY_PRIORITY,
            value: priority as u64,
            extensions: 0,
        })
    }

    /// Returns its status.
    pub fn status(&self) -> Result<ContextStatus> {
        self.inner.device.context_status(self.inner.id)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let mut request = uapi::drm_rgt_ctx_destroy {
            ctx_id: self.id,
            pad: 0,
        };
        // The number is ours, so this fails only with a device that is gone.
        let _ = self.device.call(&mut request);
    }
}
