// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Dumps of what a device was like when it failed.
//!
//! C header: [`include/linux/devcoredump.h`](srctree/include/linux/devcoredump.h)

use core::ptr;

use kernel::{
    device::Device,
    fmt,
    prelude::*, //
};

use crate::rust::bindings;

/// The text of a dump.
///
/// Written by [`write!`], which fails if there is no memory for more; what is there then stays.
///
/// All of this may sleep and wait for memory to be reclaimed. Where that is not allowed, as
/// where a device is being recovered that reclaim may wait for, gather what matters in memory of
/// one's own, and leave the rest to a work item.
pub struct Dump {
    text: VVec<u8>,
}

impl Dump {
    /// Creates an empty dump, with room for `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Result<Self> {
        Ok(Self {
            text: VVec::with_capacity(capacity, GFP_KERNEL)?,
        })
    }

    /// Returns what has been written.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Submits the dump to user space, as `/sys/class/devcoredump/devcdN/data`.
    ///
    /// It is there until a program has read it and written to it, for five minutes at most. As long
    /// as there is one of a device, and if they are disabled, further ones are thrown away: the
    /// first failure is the one to look at. It needs nothing of the driver, which may go before it.
    ///
    /// C: `dev_coredumpv()`.
    pub fn submit(self, dev: &Device) {
        if self.text.is_empty() {
            return;
        }
        let (data, len, _) = self.text.into_raw_parts();

        // SAFETY: The device is valid, and C takes its own reference. `data` is from `vmalloc()`,
        // as C needs it to free it, and ownership passes. Its first `len` bytes are initialised.
        // CAST: `Device` is transparent over `device`.
        unsafe {
            bindings::dev_coredumpv(
                ptr::from_ref(dev).cast_mut().cast(),
                data.cast(),
                len,
                bindings::GFP_KERNEL,
            )
        };
    }
}

impl fmt::Write for Dump {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        self.text
            .extend_from_slice(s.as_bytes(), GFP_KERNEL)
            .map_err(|_| fmt::Error)
    }
}

/// Removes the dump of a device, if there is one.
///
/// For a driver that does not want it to outlive the device.
///
/// C: `dev_coredump_put()`.
pub fn remove(dev: &Device) {
    // SAFETY: The device is valid.
    // CAST: `Device` is transparent over `device`.
    unsafe { bindings::dev_coredump_put(ptr::from_ref(dev).cast_mut().cast()) };
}
