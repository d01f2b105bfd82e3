// SPDX-License-Identifier: GPL-2.0

//! `make kunit`: the KUnit suites, their KTAP shown.

use std::env;
use std::process::ExitCode;

use anyhow::Result;

use crate::paths::Paths;
use crate::progress::show;
use crate::report::{Manner, Report};
use crate::suite::kunit::{self, Filter};

/// Runs the suites, or what `TEST` names of them.
pub(crate) fn kunit(paths: &Paths) -> Result<ExitCode> {
    let test = env::var("TEST").ok().filter(|test| !test.is_empty());
    let filter = Filter::of(paths, test.as_deref())?;
    let report = Report::new(Manner {
        terse: true,
        ..Manner::default()
    });
    kunit::run(paths, &report, &filter, show)?;
    report.close(None)
}
