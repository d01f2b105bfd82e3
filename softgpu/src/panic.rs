// SPDX-License-Identifier: GPL-2.0

//! Panics, which end the process.
//!
//! A thread that is gone leaves others that wait for it: a reset waits for its engine, a client
//! for its reply. An end that is seen is better than a guest that hangs.

use std::panic;

use log::error;

/// Exit status of a process that panicked, as the standard library's is.
const STATUS: i32 = 101;

/// Has `end` end the process with a status as soon as any thread panics, after the message.
pub fn end_process_with(end: impl Fn(i32) + Send + Sync + 'static) {
    let message = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        message(panic);
        error!("this is a bug in softgpu: it ends");
        end(STATUS);
    }));
}
