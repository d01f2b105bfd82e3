// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Absolute timeouts of DRM ioctls.
//!
//! C header: [`include/drm/drm_utils.h`](srctree/include/drm/drm_utils.h)

use kernel::time::Jiffies;

use crate::rust::bindings;

/// Returns how long it is until a `CLOCK_MONOTONIC` time in nanoseconds; 0 for the past.
///
/// C: `drm_timeout_abs_to_jiffies()`.
pub fn abs_to_jiffies(timeout_ns: i64) -> Jiffies {
    // SAFETY: It may be called with any value.
    let jiffies = unsafe { bindings::drm_timeout_abs_to_jiffies(timeout_ns) };

    // CAST: It is never negative.
    jiffies as Jiffies
}
