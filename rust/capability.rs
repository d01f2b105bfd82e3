// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Capabilities.
//!
//! C header: [`include/linux/capability.h`](srctree/include/linux/capability.h)

use kernel::prelude::*;

use crate::rust::bindings;

/// A capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Capability {
    /// Seeing what others do, as far as that shows in the performance of the system.
    PerfMon = bindings::CAP_PERFMON,
    /// All that has no capability of its own.
    SysAdmin = bindings::CAP_SYS_ADMIN,
    /// Raising one's own priority, or that of others.
    SysNice = bindings::CAP_SYS_NICE,
}

/// Returns whether the current task has a capability, and notes that it used it.
///
/// C: `capable()`.
pub fn capable(capability: Capability) -> bool {
    // SAFETY: May be called by any task with any valid capability.
    unsafe { bindings::capable(capability as c_int) }
}

/// Returns whether the current task may see what others do with a device.
///
/// C: `perfmon_capable()`.
pub fn perfmon_capable() -> bool {
    capable(Capability::PerfMon) || capable(Capability::SysAdmin)
}
