// SPDX-License-Identifier: GPL-2.0

//! Messages of the process.

use std::io::Write;
use std::thread;

use env_logger::{Builder, Env};

/// Shows messages on standard error, a line each; `RUST_LOG` says which ones, `info` and more
/// severe ones if it is not set. Those of a GPU have its name.
pub(crate) fn to_standard_error() {
    Builder::from_env(Env::default().default_filter_or("info"))
        .format(|line, record| {
            let thread = thread::current();
            match thread.name().filter(|name| name.starts_with("gpu")) {
                Some(gpu) => writeln!(line, "softgpu: {gpu}: {}", record.args()),
                None => writeln!(line, "softgpu: {}", record.args()),
            }
        })
        .init();
}
