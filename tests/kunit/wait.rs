// SPDX-License-Identifier: GPL-2.0

//! Waits for what happens elsewhere, with an end.

use kernel::time::{
    delay::fsleep,
    Delta, //
};

/// Waits half a minute or somewhat longer for a condition, and returns whether it became true.
pub(in crate::tests) fn soon(mut condition: impl FnMut() -> bool) -> bool {
    for _ in 0..30_000 {
        if condition() {
            return true;
        }
        fsleep(Delta::from_millis(1));
    }
    condition()
}

/// Gives what should not happen the time to happen.
pub(in crate::tests) fn settle() {
    fsleep(Delta::from_millis(50));
}
