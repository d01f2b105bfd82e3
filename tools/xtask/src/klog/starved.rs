// SPDX-License-Identifier: GPL-2.0

//! Allocations of pages that failed and were reported: which of them are complaints.
//!
//! Where a test leaves the kernel no memory, its other subsystems may be refused pages, too: swap
//! needs some to swap out.

use super::frame::{counts, function};
use super::{Splat, message};

/// The words of `warn_alloc()` in the first line of such a report.
pub(super) const REPORTED: &str = "page allocation failure: order:";
/// The prefix of the functions of direct reclaim, which run inside of an allocation.
const RECLAIM: &str = "shrink_";

/// Whether a complaint is a failed allocation of neither the driver nor of what it builds on.
pub(super) fn is_elsewhere(splat: &Splat) -> bool {
    let mut lines = splat.text.lines().map(message);
    splat.title.contains(REPORTED) && lines.any(|line| line == "Call Trace:") && {
        // Behind a question mark is what a call that has returned left on the stack.
        let called = lines.filter(|line| !line.trim().starts_with('?'));
        let mut allocating = called.take_while(|line| !function(line).starts_with(RECLAIM));
        !allocating.any(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::is_elsewhere;
    use crate::klog::scan;

    /// Whether the report of a failed allocation by these functions, from the innermost, is of
    /// others.
    fn elsewhere(frames: &[&str]) -> bool {
        let frames = frames.iter().map(|frame| format!("[    9.1]  {frame}\n"));
        let splats = scan(&format!(
            "[    9.1] kswapd0: page allocation failure: order:0, mode:0xc0de0(GFP_KERNEL)\n\
             [    9.1] CPU: 0 UID: 0 PID: 42 Comm: kswapd0 Tainted: G           O        7.3.4 #2\n\
             [    9.1] Call Trace:\n[    9.1]  <TASK>\n{}[    9.1]  </TASK>\n[    9.1] Mem-Info:\n",
            frames.collect::<String>()
        ));
        assert_eq!(splats.len(), 1);
        assert!(splats[0].text.ends_with("</TASK>"));
        is_elsewhere(&splats[0])
    }

    #[test]
    fn those_of_the_driver_and_below_it_are_complaints() {
        let deep = ["a+0x1/0x2"; 60];
        let driver = ["ttm_pool_alloc+0x1/0x2 [ttm]"];
        let shrinker = ["drm_mm_insert+0x1/0x2", "shrink_slab+0x1/0x2"];
        assert!(!elsewhere(&[&deep[..], &driver].concat()));
        assert!(!elsewhere(&[&deep[..], &shrinker].concat()));
    }

    #[test]
    fn those_of_others_are_not() {
        let swap = ["warn_alloc+0x1/0x2", "swap_cluster_alloc_table+0x1/0x2"];
        let reclaim = ["shrink_folio_list+0x1/0x2"];
        let stale = ["? ttm_tt_swapout+0x1/0x2 [ttm]"];
        let driver = ["ttm_pool_alloc+0x1/0x2 [ttm]"];
        assert!(elsewhere(&swap));
        assert!(elsewhere(&[swap, ["? a+0x1/0x2", stale[0]]].concat()));
        // What the driver has reclaim do is not the driver's.
        assert!(elsewhere(&[&swap[..], &reclaim, &driver].concat()));
        // Another complaint is none of these, nor is a report that says not where.
        let warning = "WARNING: mm/swapfile.c:455 at swap_cluster_alloc_table+0x1/0x2\n";
        let cut = "kswapd0: page allocation failure: order:0, mode:0xc0de0(GFP_KERNEL)\n";
        for log in [warning, cut] {
            assert!(!is_elsewhere(&scan(log)[0]));
        }
    }
}
