// SPDX-License-Identifier: GPL-2.0

//! Recovery of a GPU: reset of the hung engine first, then of the device; and its sleep.
//!
//! The device is reset when an engine cannot be, when a ring does not run after a reset of its
//! engine, when an invalidation of the TLB does not end, and when it was reset from outside; and
//! the bus may reset it, at the wish of user space or for an error.

mod bus;
mod power;
mod resetter;

pub(crate) use self::resetter::Resetter;
