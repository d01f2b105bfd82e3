// SPDX-License-Identifier: GPL-2.0

//! The data races that KCSAN reports: which of them are complaints.
//!
//! KCSAN instruments the whole kernel, whose other subsystems have data races of their own.

use super::frame::{counts, function};
use super::{Splat, message};

/// The functions whose races were looked at and are harmless.
const HARMLESS: &str = include_str!("../../../kernel/races");
/// How many functions say whose an access is: the one that accesses, and those that have it do so.
const FRAMES: usize = 3;

/// Whether a complaint is a race that is neither the driver's nor one of what it builds on, or a
/// harmless one.
pub(super) fn is_elsewhere(splat: &Splat) -> bool {
    if !splat.title.contains("KCSAN: data-race in ") {
        return false;
    }
    let functions = || accesses(&splat.text).flat_map(|frames| frames.map(function));
    let mut harmless = HARMLESS.lines().filter(|line| !line.starts_with('#'));
    harmless.any(|known| functions().any(|function| function == known))
        || !accesses(&splat.text).any(|mut frames| frames.any(counts))
}

/// The innermost frames of each access.
fn accesses(report: &str) -> impl Iterator<Item = impl Iterator<Item = &str>> {
    let lines = || report.lines().map(message);
    let starts = lines()
        .enumerate()
        .filter(|(_, line)| line.contains(" bytes by "));
    starts.map(move |(at, _)| {
        lines()
            .skip(at + 1)
            .take_while(|line| !line.is_empty())
            .take(FRAMES)
    })
}

#[cfg(test)]
mod tests {
    use super::is_elsewhere;
    use crate::klog::scan;

    /// A report about accesses with these frames.
    fn report(accesses: [&[&str]; 2]) -> String {
        let [one, other] = accesses.map(|frames| {
            let lines = frames.iter().map(|frame| format!("[    8.1]  {frame}\n"));
            lines.collect::<String>()
        });
        format!(
            "[    8.1] ==========\n[    8.1] BUG: KCSAN: data-race in a / b\n[    8.1] \n\
             [    8.1] write to 0xffff of 8 bytes by task 1 on cpu 1:\n{one}[    8.1] \n\
             [    8.1] read to 0xffff of 8 bytes by task 2 on cpu 0:\n{other}[    8.1] \n\
             [    8.1] value changed: 0x1 -> 0x2\n[    8.1] ==========\n"
        )
    }

    fn elsewhere(accesses: [&[&str]; 2]) -> bool {
        let splats = scan(&report(accesses));
        assert_eq!(splats.len(), 1);
        is_elsewhere(&splats[0])
    }

    #[test]
    fn those_of_the_driver_and_below_it_are_complaints() {
        let other: &[&str] = &["filemap_read+0x1/0x2", "vfs_read+0x1/0x2"];
        for frames in [
            &["ttm_bo_release+0x1/0x2 [ttm]"] as &[&str],
            &["rb_next+0x1/0x2", "drm_mm_insert+0x1/0x2"],
            &["memcpy+0x1/0x2", "a+0x1/0x2", "__dma_fence_signal+0x1/0x2"],
        ] {
            assert!(!elsewhere([frames, other]), "{frames:?}");
            assert!(!elsewhere([other, frames]), "{frames:?}");
        }
    }

    #[test]
    fn those_of_others_are_not() {
        let core: &[&str] = &["a+0x1/0x2", "b+0x1/0x2", "c+0x1/0x2", "drm_ioctl+0x1/0x2"];
        assert!(elsewhere([core, core]));
        let clock: &[&str] = &["timekeeping_update_from_shadow+0x1/0x2", "update+0x1/0x2"];
        let ours: &[&str] = &["ktime_get+0x1/0x2", "drm_sched_job_arm+0x1/0x2 [gpu_sched]"];
        assert!(elsewhere([clock, ours]));
        // Another complaint is none of these.
        let splats = scan("BUG: KASAN: use-after-free in a+0x1/0x2\n");
        assert!(!is_elsewhere(&splats[0]));
    }
}
