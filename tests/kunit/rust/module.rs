// SPDX-License-Identifier: GPL-2.0

//! References to this module.

use kernel::{
    prelude::*,
    time::{
        delay::fsleep,
        Delta, //
    }, //
};

// Declared as in `helpers.h`. Functions marked `safe` take no pointers.
unsafe extern "C" {
    pub(in crate::tests) safe fn rgt_test_module_refcount() -> c_int;
}

/// Returns whether what `make` returns has so many references to the module, until it is dropped.
///
/// This looks for about a second, as others may come and go meanwhile.
pub(in crate::tests) fn holds_references<T>(
    count: c_int,
    mut make: impl FnMut() -> Result<T>,
) -> Result<bool> {
    for _ in 0..20 {
        let idle = rgt_test_module_refcount();
        let made = make()?;
        let used = rgt_test_module_refcount();

        drop(made);
        // There is no count if the module cannot be unloaded.
        if idle < 0 || used == idle + count && rgt_test_module_refcount() == idle {
            return Ok(true);
        }
        fsleep(Delta::from_millis(50));
    }
    Ok(false)
}
