// SPDX-License-Identifier: GPL-2.0

//! Ctrl-C and termination: a flag that every waiting loop looks at, so that
//! what was started is ended on the way out.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// The error that an interrupted wait gives.
#[derive(Debug)]
pub(crate) struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted; run it again to go on")
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

/// Gives an error once a signal has come.
pub(crate) fn check() -> Result<(), Interrupted> {
    match FLAG.get().is_some_and(|flag| flag.load(Ordering::Relaxed)) {
        true => Err(Interrupted),
        false => Ok(()),
    }
}
