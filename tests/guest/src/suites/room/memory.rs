// SPDX-License-Identifier: GPL-2.0

//! No memory for what is to be evicted is an error of who submits, and of no other.

use anyhow::ensure;
use rustix::io::Errno;

use super::super::pressure::{Hog, LITTLE};
use super::{VRAM_ONLY, VRAM_OR_GTT, bos, check, percent, writing};
use crate::expect::{fails, of_library};
use crate::harness::{Outcome, Test, skip, tests};
use crate::rig::{Rig, meminfo};

pub(super) const TESTS: &[Test] = tests![more_to_evict_than_memory];

/// Without swap, and with more in VRAM than the pages that are left.
fn more_to_evict_than_memory() -> Outcome {
    let (rig, other) = (Rig::new()?, Rig::new()?);
    if meminfo("SwapTotal")? != 0 {
        return skip("there is swap");
    }
    let first = bos(&rig, percent(&rig, 90)?, VRAM_OR_GTT)?;
    writing(&rig, &first, 100)?.run()?;
    let more = bos(&other, percent(&other, 90)?, VRAM_ONLY)?;

    let hog = Hog::leave_little()?;
    for _ in 0..3 {
        // Binding the BOs takes the memory, too.
        let result = writing(&other, &more, 1000).and_then(|mut work| work.submit());
        fails("the job", Errno::NOMEM, of_library(result))?;
    }
    // Others live, and so does what they have.
    writing(&rig, &first[..1], 100)?.run()?;
    drop(hog);
    check(&rig, &first, 100)?;
    writing(&other, &more, 1000)?.run()?;
    check(&other, &more, 1000)?;
    ensure!(meminfo("MemAvailable")? > LITTLE, "memory is gone");
    Ok(())
}
