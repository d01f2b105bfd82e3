// SPDX-License-Identifier: GPL-2.0

//! Programs that nobody here wrote, on the driver's nodes and under it, beside clients whose data has
//! to be right.

mod nodes;
mod stress_ng;
mod trinity;
mod witness;

use crate::harness::{LONG, Need, Suite, Tag, tests};

pub(super) use witness::Witness;

use stress_ng::{on_the_nodes, under_pressure};
use trinity::calls;

/// Programs that use memory, and open nodes.
pub(super) const STRESS_NG: Suite = Suite {
    name: "stress-ng",
    needs: &[Need::OtherPrograms, Need::Swap],
    tags: &[Tag::Long],
    tests: &[tests![LONG; on_the_nodes, under_pressure]],
};

/// A fuzzer of system calls.
pub(super) const TRINITY: Suite = Suite {
    name: "trinity",
    needs: &[Need::OtherPrograms],
    tags: &[Tag::Long],
    tests: &[tests![LONG; calls]],
};

/// Who runs them: nobody.
const USER: u32 = 65534;
