// SPDX-License-Identifier: GPL-2.0

//! Buffer objects, as far as they need no device.

mod record;
mod stats;
