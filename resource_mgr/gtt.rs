// SPDX-License-Identifier: GPL-2.0

//! GTT: system pages that the GPU may see, up to a limit.
//!
//! The pages come from TTM's pool and each VM maps them on its own, so that all there is to manage
//! is how many there are.

use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
};

use crate::rust::drm::ttm::{
    AllocRequest,
    ResourceManager, //
};

/// The GTT manager.
pub(crate) struct Gtt {
    limit: i64,
    used: Arc<Atomic<i64>>,
}

impl Gtt {
    /// Returns a manager of at most `limit` bytes.
    pub(crate) fn new(limit: u64) -> Result<Self> {
        Ok(Self {
            limit: limit.try_into()?,
            used: Arc::new(Atomic::new(0), GFP_KERNEL)?,
        })
    }

    /// Returns the limit in bytes.
    pub(crate) fn limit(&self) -> u64 {
        self.limit.unsigned_abs()
    }
}

/// A BO's share of the limit.
pub(crate) struct GttResource {
    size: i64,
    used: Arc<Atomic<i64>>,
}

impl GttResource {
    fn new(gtt: &Gtt, size: usize) -> Result<Self> {
        let size = size.try_into()?;
        let mut used = gtt.used.load(Relaxed);

        // What does not fit is never counted: it would keep out what others ask for meanwhile.
        while used <= gtt.limit - size {
            match gtt.used.cmpxchg(used, used + size, Relaxed) {
                Ok(_) => {
                    return Ok(Self {
                        size,
                        used: gtt.used.clone(),
                    })
                }
                Err(now) => used = now,
            }
        }
        Err(ENOSPC)
    }
}

impl Drop for GttResource {
    fn drop(&mut self) {
        self.used.fetch_add(-self.size, Relaxed);
    }
}

impl ResourceManager for Gtt {
    type Resource = GttResource;

    const USE_TT: bool = true;

    fn alloc<'a>(&'a self, request: &'a AllocRequest<'_>) -> impl PinInit<GttResource, Error> + 'a {
        GttResource::new(self, request.size)
    }
}
