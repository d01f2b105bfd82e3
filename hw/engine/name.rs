// SPDX-License-Identifier: GPL-2.0

//! Names of engines.

use kernel::prelude::*;

use crate::hw::abi::limits::MAX_ENGINES;

/// The names of one engine.
pub(super) struct Names {
    /// The name of its timeline and of its scheduler.
    pub(super) engine: &'static CStr,
    /// The name of its interrupt.
    pub(super) irq: &'static CStr,
}

const fn names(engine: &'static CStr, irq: &'static CStr) -> Names {
    Names { engine, irq }
}

static NAMES: [Names; MAX_ENGINES as usize] = [
    names(c"engine0", c"rust_gpu_ttm-engine0"),
    names(c"engine1", c"rust_gpu_ttm-engine1"),
    names(c"engine2", c"rust_gpu_ttm-engine2"),
    names(c"engine3", c"rust_gpu_ttm-engine3"),
    names(c"engine4", c"rust_gpu_ttm-engine4"),
    names(c"engine5", c"rust_gpu_ttm-engine5"),
    names(c"engine6", c"rust_gpu_ttm-engine6"),
    names(c"engine7", c"rust_gpu_ttm-engine7"),
];

/// Returns the names of engine `index`. [`EINVAL`] for more engines than a device can have.
pub(super) fn of(index: u32) -> Result<&'static Names> {
    NAMES.get(index as usize).ok_or(EINVAL)
}
