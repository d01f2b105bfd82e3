// SPDX-License-Identifier: GPL-2.0

//! `make stress`: the suites that find more the longer they run, for long.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;

use crate::kernel::Flavour;
use crate::paths::Paths;
use crate::report::{Manner, Report};
use crate::suite::{Choice, guest};

/// Runs all of them, or those that are named; with a time the one that may run for any.
pub(crate) fn stress(paths: &Paths, choice: &Choice, time: Option<Duration>) -> Result<ExitCode> {
    let suites = guest::choose_long(paths, choice, time)?;
    let report = Report::new(Manner {
        fail_fast: choice.fail_fast,
        ..Manner::default()
    });
    let guests = suites.prepare(paths, paths.options.flavour(Flavour::Debug))?;
    report.unless_stopped(guests.work(&report))?;
    report.close(None)
}
