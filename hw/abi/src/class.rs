// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Classes of engines.

/// Compute and render: every packet.
pub const RENDER: u32 = 0;
/// Copy: every packet but those of render engines.
pub const COPY: u32 = 1;
