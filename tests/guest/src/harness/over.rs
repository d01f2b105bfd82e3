// SPDX-License-Identifier: GPL-2.0

//! The end of what threads do beside a test.

use std::sync::atomic::{AtomicBool, Ordering};

/// A flag that is set when this is dropped, also by a panic: threads of a scope, which are waited for then,
/// look at it.
pub(crate) struct SetOnDrop<'a>(pub(crate) &'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
