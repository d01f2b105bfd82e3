// SPDX-License-Identifier: GPL-2.0

//! `make stress`: the suites that find more the longer they run, for long.

use std::process::ExitCode;

use anyhow::Result;

use crate::paths::Paths;
use crate::report::Report;
use crate::suite;

/// Runs all of them, or the one named.
pub(crate) fn stress(paths: &Paths, only: Option<&str>) -> Result<ExitCode> {
    let mut report = Report::default();
    suite::guest::stress(paths, &mut report, only)?;
    Ok(report.close())
}
