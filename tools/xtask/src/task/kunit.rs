// SPDX-License-Identifier: GPL-2.0

//! `make kunit`: the KUnit suites, their KTAP shown.

use std::process::ExitCode;

use anyhow::Result;

use crate::paths::Paths;
use crate::progress::show;
use crate::report::Report;
use crate::suite;

/// Runs the suites.
pub(crate) fn kunit(paths: &Paths) -> Result<ExitCode> {
    let mut report = Report::terse();
    suite::kunit::run(paths, &mut report, show)?;
    Ok(report.close())
}
