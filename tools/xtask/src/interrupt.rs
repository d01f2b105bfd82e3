// SPDX-License-Identifier: GPL-2.0

//! Ctrl-C, termination, and a failure after which nothing else is to run: flags that every waiting
//! loop looks at, so that what was started is ended on the way out.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();
static STOPPED: AtomicBool = AtomicBool::new(false);

/// The error that an interrupted wait gives.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Interrupted {
    /// By a signal.
    Signal,
    /// By [`stop()`].
    Stopped,
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Signal => "interrupted; run it again to go on",
            Self::Stopped => "stopped after the first failure",
        })
    }
}

impl std::error::Error for Interrupted {}

/// Turns the ending signals into the flag.
pub(crate) fn install() -> Result<()> {
    let flag = FLAG.get_or_init(Default::default);
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(flag)).context("cannot handle signals")?;
    }
    Ok(())
}

/// Ends all waits of this process.
pub(crate) fn stop() {
    STOPPED.store(true, Ordering::Relaxed);
}

/// Gives an error once a signal has come, or [`stop()`] was called.
pub(crate) fn check() -> Result<(), Interrupted> {
    if FLAG.get().is_some_and(|flag| flag.load(Ordering::Relaxed)) {
        return Err(Interrupted::Signal);
    }
    match STOPPED.load(Ordering::Relaxed) {
        true => Err(Interrupted::Stopped),
        false => Ok(()),
    }
}
