// SPDX-License-Identifier: MIT

//! Handles of BOs.
//!
//! The kernel gives a client one handle for a BO, however often it imports it. So all that have the
//! same BO share the handle here, and the last one closes it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::device::Device;
use crate::uapi;

/// The handles of a client that an import may find again.
#[derive(Debug, Default)]
pub(crate) struct Shared(Mutex<HashMap<u32, Weak<Handle>>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, HashMap<u32, Weak<Handle>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A handle, closed when dropped.
#[derive(Debug)]
pub(crate) struct Handle {
    device: Device,
    id: u32,
}

impl Handle {
    /// Takes the handle of a new BO.
    pub(crate) fn new(device: &Device, id: u32) -> Arc<Self> {
        Arc::new(Self {
            device: device.clone(),
            id,
        })
    }

    /// Takes the handle that `import` gives, which may be one that is there already.
    pub(crate) fn import<E>(
        device: &Device,
        import: impl FnOnce() -> Result<u32, E>,
    ) -> Result<Arc<Self>, E> {
        let mut table = device.shared().lock();
        let id = import()?;
        if let Some(handle) = table.get(&id).and_then(Weak::upgrade) {
            return Ok(handle);
        }
        let handle = Self::new(device, id);
        table.insert(id, Arc::downgrade(&handle));
        Ok(handle)
    }

    /// Has imports find it from now on.
    pub(crate) fn share(self: &Arc<Self>) {
        self.device
            .shared()
            .lock()
            .insert(self.id, Arc::downgrade(self));
    }

    /// Whether imports find it.
    pub(crate) fn is_shared(&self) -> bool {
        self.device.shared().lock().contains_key(&self.id)
    }

    pub(crate) fn id(&self) -> u32 {
        self.id
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut table = self.device.shared().lock();
        if let Some(found) = table.get(&self.id) {
            if found.strong_count() != 0 {
                // An import got the handle before it could be closed.
                return;
            }
            table.remove(&self.id);
        }
        let mut request = uapi::drm_gem_close {
            handle: self.id,
            pad: 0,
        };
        // The handle is ours, so this fails only with a device that is gone, and then there is
        // nothing left to close.
        let _ = self.device.call(&mut request);
    }
}
