// SPDX-License-Identifier: GPL-2.0

//! DMA-debug's warning of a page that is mapped more often than it counts.
//!
//! It counts to seven, and takes more for mappings that were forgotten. A process may bind its memory
//! as often as it likes, and GPU SVM has no attribute that tells DMA-debug so. Forgotten mappings are
//! reported when the driver leaves the device, too.

use super::frame::function;
use super::{Splat, message};

/// Whether a complaint is that, of memory of processes.
pub(super) fn is_elsewhere(splat: &Splat) -> bool {
    let mut functions = splat.text.lines().map(|line| function(message(line)));
    splat.title.contains("DMA-API: exceeded ")
        && functions.any(|function| function == "drm_gpusvm_get_pages")
}

#[cfg(test)]
mod tests {
    use super::is_elsewhere;
    use crate::klog::scan;

    fn elsewhere(title: &str, by: &str) -> bool {
        let splats = scan(&format!(
            "[   20.0] DMA-API: {title}\n[   20.0] WARNING: kernel/dma/debug.c:467 at add_dma_entry\n\
             [   20.0] Call Trace:\n[   20.0]  dma_map_phys+0x118/0x220\n[   20.0]  {by}+0x1/0x2\n\
             [   20.0] ---[ end trace 0000000000000000 ]---\n"
        ));
        assert_eq!(splats.len(), 1);
        is_elsewhere(&splats[0])
    }

    #[test]
    fn those_of_pages_of_processes_are_none_of_the_drivers() {
        let exceeded = "exceeded 7 overlapping mappings of cacheline 0x000000000418cd40";
        assert!(elsewhere(exceeded, "drm_gpusvm_get_pages"));
        assert!(!elsewhere(exceeded, "ttm_pool_alloc"));
        let freed = "rust_gpu_ttm 0000:01:00.0: device driver frees DMA memory with wrong size";
        assert!(!elsewhere(freed, "drm_gpusvm_get_pages"));
    }
}
