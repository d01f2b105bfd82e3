// SPDX-License-Identifier: GPL-2.0

//! A bound on the sizes of all BOs together.
//!
//! A BO takes no memory before it is used, but TTM allocates its lists of pages when it is created: 16
//! bytes for each page, which are charged to no cgroup, and which nothing reclaims.

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

/// The bytes of all of a device's BOs, those that share memory of others apart.
pub(crate) struct DescribedBytes {
    limit: u64,
    sum: Atomic<u64>,
}

/// The bytes of one BO among them, until this is dropped.
pub(crate) struct DescribedShare {
    of: Arc<DescribedBytes>,
    bytes: u64,
}

impl DescribedBytes {
    /// Creates it, for so many bytes at most.
    pub(crate) fn new(limit: u64) -> Result<Arc<Self>> {
        let this = Self {
            limit,
            sum: Atomic::new(0),
        };

        Ok(Arc::new(this, GFP_KERNEL)?)
    }

    /// Adds a BO. `ENOMEM` if there are too many bytes.
    pub(super) fn add(self: &Arc<Self>, bytes: u64) -> Result<DescribedShare> {
        let share = DescribedShare {
            of: self.clone(),
            bytes,
        };

        // Too much is given back with the share.
        match self.sum.fetch_add(bytes, Relaxed).checked_add(bytes) {
            Some(sum) if sum <= self.limit => Ok(share),
            _ => Err(ENOMEM),
        }
    }
}

impl Drop for DescribedShare {
    fn drop(&mut self) {
        self.of.sum.fetch_sub(self.bytes, Relaxed);
    }
}
