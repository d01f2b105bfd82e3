// SPDX-License-Identifier: GPL-2.0

//! Tests that were skipped wherever they ran: it is as if they were not there.

use std::collections::BTreeMap;

use super::Test;
use crate::ktap::Verdict;
use crate::suite::is_kernels_own;

/// Returns the tests that ran nowhere, as `SUITE: NAME`, each with the reason of its last skip. A
/// suite is the same one in every guest. What the kernel's own tests leave out is theirs to say.
pub(super) fn skipped(tests: &[Test]) -> Vec<(String, String)> {
    let mut all: BTreeMap<_, Option<&str>> = BTreeMap::new();
    for test in tests {
        let suite = base(&test.suite);
        if is_kernels_own(suite) {
            continue;
        }
        let why = (test.verdict == Verdict::Skip).then_some(test.why.as_str());
        all.entry((suite, &test.name))
            .and_modify(|known| *known = known.and(why))
            .or_insert(why);
    }
    all.into_iter()
        .filter_map(|((suite, name), why)| Some((format!("{suite}: {name}"), why?.to_owned())))
        .collect()
}

/// The name of a suite without that of its guest.
fn base(suite: &str) -> &str {
    suite
        .rsplit_once('/')
        .map_or(suite, |(_guest, suite)| suite)
}
