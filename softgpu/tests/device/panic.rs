// SPDX-License-Identifier: GPL-2.0

//! A panic in any thread ends the process.

use std::env;
use std::process::{self, Command, Stdio};
use std::thread;
use std::time::Duration;

/// Says to this very program that it is the process that is to end.
const CHILD: &str = "SOFTGPU_TEST_PANIC";

#[test]
fn a_panic_ends_the_process() {
    if env::var_os(CHILD).is_some() {
        panic_in_a_thread();
    }
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", "panic::a_panic_ends_the_process", "--nocapture"])
        .env(CHILD, "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(101));
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(words.contains("the engine is broken"), "{words}");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("cleaned up"), "{said}");
}

/// As a thread of an engine would; the one that waits for it would wait for ever.
fn panic_in_a_thread() -> ! {
    softgpu::panic::end_process_with(|status| {
        println!("cleaned up");
        process::exit(status);
    });
    let engine = thread::Builder::new().name("engine0".to_owned());
    let _engine = engine.spawn(|| panic!("the engine is broken")).unwrap();
    // Longer than anything takes: it ends what hangs, and the status is another one.
    thread::sleep(Duration::from_secs(60));
    process::exit(0);
}
