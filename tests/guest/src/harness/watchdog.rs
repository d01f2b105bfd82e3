// SPDX-License-Identifier: GPL-2.0

//! The time limit of a test.

use std::process;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

/// Ends the program if it is not dropped in time: a test that hangs in the kernel cannot be
/// stopped in any other way.
pub(super) struct Watchdog {
    _alive: Sender<()>,
}

impl Watchdog {
    /// Begins to watch the test with this number and name.
    pub(super) fn start(title: String, limit: Duration) -> Self {
        let (alive, dropped) = mpsc::channel();
        thread::spawn(move || {
            if dropped.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                println!("# did not end within {} s", limit.as_secs());
                println!("not ok {title}");
                println!("Bail out! {title} hangs");
                process::exit(1);
            }
        });
        Self { _alive: alive }
    }
}
