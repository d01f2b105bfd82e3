// SPDX-License-Identifier: GPL-2.0

//! The test suites.

pub(crate) mod cargo;
pub(crate) mod guest;
pub(crate) mod kunit;

use crate::ktap::{self, Verdict};
use crate::report::Report;

/// Reports what a KTAP parser found.
fn report(report: &mut Report, suite: &str, results: Vec<ktap::Result>) {
    for result in results {
        match result.verdict {
            Verdict::Pass => report.pass(suite, &result.name),
            Verdict::Fail => report.fail(suite, &result.name, &result.said),
            Verdict::Skip => report.skip(suite, &result.name),
        }
    }
}
