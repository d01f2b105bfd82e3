// SPDX-License-Identifier: GPL-2.0

//! Frames of a call trace: whose they are.

/// Prefixes, behind underscores, of built-in functions that the driver builds on.
const SUBSYSTEMS: [&str; 7] = [
    "drm_",
    "ttm_",
    "dma_buf_",
    "dma_fence_",
    "dma_resv_",
    "sync_file_",
    "mmu_interval_",
];

/// The name of a frame's function.
pub(super) fn function(frame: &str) -> &str {
    let frame = frame.trim();
    frame.split_once('+').map_or(frame, |(name, _)| name)
}

/// Whether what a frame's function does wrong counts: it is in a module or of a subsystem that the
/// driver builds on.
pub(super) fn counts(frame: &str) -> bool {
    let name = function(frame).trim_start_matches('_');
    let known = SUBSYSTEMS
        .iter()
        .any(|beginning| name.starts_with(beginning));
    frame.ends_with(']') || known
}
