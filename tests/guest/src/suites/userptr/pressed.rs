// SPDX-License-Identifier: GPL-2.0

//! Memory that changes while the kernel takes pages of all kinds back all the time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::ensure;

use super::area::Area;
use super::{moved, other_mm, running};
use crate::harness::{Outcome, SetOnDrop, Test, counted, tests};
use crate::rig::{PAGE, PATIENCE, vmstat};
use crate::suites::pressure::{Hog, LITTLE};

pub(super) const TESTS: &[Test] = tests![
    gone_with_little_memory,
    given_up_with_little_memory,
    moved_away_with_little_memory,
    compacted_with_little_memory,
    forked_with_little_memory,
    under_a_job_with_little_memory,
];

/// Runs a test while another thread writes to more memory than is left.
fn with_little_memory(test: impl FnOnce() -> Outcome) -> Outcome {
    let _hog = Hog::leave_little()?;
    let area = Area::anonymous(LITTLE as usize / 4 * 5)?;
    area.advise(0, area.len(), libc::MADV_NOHUGEPAGE)?;
    let swapped = || vmstat("pswpout");
    let before = swapped()?;
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut pages = (0..area.len()).step_by(PAGE as usize).cycle();
            while let Some(at) = pages.next()
                && !over.load(Ordering::Relaxed)
            {
                area.write(at, area.read(at) + 1);
            }
        });
        let begins = || -> Outcome {
            let deadline = Instant::now() + PATIENCE;
            while swapped()? == before {
                ensure!(Instant::now() < deadline, "nothing goes to swap");
                thread::sleep(Duration::from_millis(10));
            }
            Ok(())
        };
        let _over = SetOnDrop(&over);
        begins().and_then(|()| test())
    })?;
    counted("pages that went to swap", swapped()? - before);
    Ok(())
}

fn gone_with_little_memory() -> Outcome {
    with_little_memory(|| moved::gone().and_then(|()| moved::gone_and_unbound()))
}

fn given_up_with_little_memory() -> Outcome {
    with_little_memory(moved::given_up_pages)
}

fn moved_away_with_little_memory() -> Outcome {
    with_little_memory(moved::moved_away)
}

fn compacted_with_little_memory() -> Outcome {
    with_little_memory(|| moved::while_compacted(1))
}

fn forked_with_little_memory() -> Outcome {
    with_little_memory(other_mm::forked)
}

fn under_a_job_with_little_memory() -> Outcome {
    with_little_memory(|| {
        running::given_up_under_a_job()?;
        running::unmapped_under_a_job()?;
        running::forked_under_a_job()
    })
}
