// SPDX-License-Identifier: GPL-2.0

use super::{RULE, message, of_driver, panic, scan};

fn titles(log: &str) -> Vec<String> {
    scan(log).into_iter().map(|splat| splat.title).collect()
}

#[test]
fn a_clean_boot_has_none() {
    let log = "\
[    0.000000] Linux version 7.3.4 (root@host) (clang version 19.1.7, LLD 19.1.7) #1 SMP PREEMPT
[    0.000000] Kernel command line: console=ttyS0 rdinit=/init panic=-1 oops=panic
[    0.013000] kasan: KernelAddressSanitizer initialized (generic)
[    0.104000] DMA-API: preallocated 65536 debug entries
[    0.104000] DMA-API: debugging enabled by kernel config
[    0.900000] kmemleak: Kernel memory leak detector initialized (mem pool available: 38212)
[    1.200000] rust_gpu_ttm 0000:01:00.0: 256 MiB VRAM, 64 MiB visible
";
    assert_eq!(titles(log), [""; 0]);
}

#[test]
fn kasan_is_one_splat_with_its_trace() {
    let log = "\
[    8.000000] rust_gpu_ttm 0000:01:00.0: ready
[    8.100000] ==================================================================
[    8.100010] BUG: KASAN: slab-use-after-free in ttm_bo_release+0x51/0x700 [ttm]
[    8.100020] Read of size 8 at addr ffff888004b3c1a8 by task rgt-demo/71
[    8.100040] CPU: 1 UID: 0 PID: 71 Comm: rgt-demo Not tainted 7.3.4 #1
[    8.100050] Call Trace:
[    8.100060]  <TASK>
[    8.100070]  dump_stack_lvl+0x5d/0x80
";
    let splats = scan(log);
    assert_eq!(splats.len(), 1);
    assert_eq!(splats[0].at, 2);
    assert!(
        splats[0]
            .title
            .starts_with("BUG: KASAN: slab-use-after-free")
    );
    assert!(splats[0].text.contains("dump_stack_lvl"));
}

#[test]
fn lockdep_and_its_relatives_are_found() {
    for line in [
        "WARNING: possible circular locking dependency detected",
        "WARNING: possible recursive locking detected",
        "WARNING: inconsistent lock state",
        "WARNING: suspicious RCU usage",
        "WARNING: bad unlock balance detected!",
        "BUG: sleeping function called from invalid context at kernel/locking/mutex.c:591",
        "BUG: MAX_LOCKDEP_ENTRIES too low!",
    ] {
        assert_eq!(titles(&format!("[   12.000001] {line}\n")), [line]);
    }
}

#[test]
fn checkers_and_stalls_are_found() {
    for line in [
        "UBSAN: shift-out-of-bounds in drivers/gpu/drm/drm_mm.c:55:12",
        "DMA-API: rust_gpu_ttm 0000:01:00.0: device driver frees DMA memory with wrong function",
        "ODEBUG: free active (active state 0) object: ffff88800 object type: work_struct",
        "refcount_t: underflow; use-after-free.",
        "list_add corruption. prev->next should be next (ffff8880), but was ffff8881.",
        "list_del corruption, ffff8880->next is LIST_POISON1 (dead000000000100)",
        "INFO: task rgt-demo:71 blocked for more than 120 seconds.",
        "rcu: INFO: rcu_preempt self-detected stall on CPU",
        "watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [rgt-demo:71]",
        "unreferenced object 0xffff888004b3c180 (size 96):",
        "Oops: general protection fault, probably for non-canonical address: 0000 [#1] SMP KASAN",
        "kernel BUG at rust/helpers/bug.c:7!",
        "rust_kernel: panicked at bo/create.rs:12:5:",
        "Kernel panic - not syncing: Fatal exception",
        "WARNING: CPU: 0 PID: 1 at drivers/gpu/drm/ttm/ttm_bo.c:265 ttm_bo_release+0x1/0x2 [ttm]",
    ] {
        assert_eq!(titles(&format!("[   12.000001] {line}\n")), [line]);
    }
}

#[test]
fn a_warning_ends_at_its_end_and_the_next_is_another() {
    let warning = "\
[    5.000000] ------------[ cut here ]------------
[    5.000001] WARNING: CPU: 0 PID: 60 at lib/refcount.c:28 refcount_warn_saturate+0xba/0x110
[    5.000002] Call Trace:
[    5.000003]  <TASK>
[    5.000004] ---[ end trace 0000000000000000 ]---
";
    let splats = scan(&warning.repeat(2));
    assert_eq!(splats.len(), 2);
    assert_eq!(splats[0].text.lines().count(), 4);
}

#[test]
fn a_sanitizers_report_is_whole() {
    let report = format!(
        "{RULE}\nBUG: KCSAN: data-race in drm_gem_get_pages / ttm_bo_release [ttm]\n{}{RULE}\n",
        " ttm_bo_release+0x1/0x2 [ttm]\n".repeat(60)
    );
    let splats = scan(&report.repeat(2));
    assert_eq!(splats.len(), 2);
    assert_eq!(splats[0].text.lines().count(), 62);
    assert_eq!(splats[1].at, 64);
}

#[test]
fn a_long_report_is_cut() {
    let log = format!("BUG: one\n{}BUG: two\n", "line\n".repeat(100));
    let splats = scan(&log);
    assert_eq!(splats.len(), 2);
    assert_eq!(splats[0].text.lines().count(), 30);
}

#[test]
fn a_stamp_is_not_the_message() {
    assert_eq!(
        message("[    1.200000] rust_gpu_ttm: hello"),
        "rust_gpu_ttm: hello"
    );
    assert_eq!(message("[drm] hello"), "[drm] hello");
    assert_eq!(
        message("[    1.200000]     ok 1 indented"),
        "    ok 1 indented"
    );
    assert!(of_driver("[    1.2] rust_gpu_ttm: hello"));
}

#[test]
fn a_panic_is_told_in_its_own_words() {
    let log = "[    1.5] Oops: 0000\n[    1.6] Kernel panic - not syncing: Fatal exception\n\
               [    1.7] Rebooting in 1 seconds..\n";
    assert_eq!(
        panic(log),
        Some("Kernel panic - not syncing: Fatal exception")
    );
    assert_eq!(panic("[    1.5] all is well\n"), None);
}
