// SPDX-License-Identifier: GPL-2.0

//! The watchdog of an engine: it looks after jobs that take too long, and after interrupts that
//! got lost.

use kernel::{
    prelude::*,
    sync::Arc,
    time::{
        msecs_to_jiffies,
        Delta,
        Instant,
        Monotonic,
        Msecs, //
    },
    workqueue::WorkItem, //
};

use super::{
    Engine,
    Queue, //
};
use crate::{
    hw::abi::regs::*,
    rust::dma_fence::SignallingSection, //
};

/// For how long an engine may be at one job, all of its indirect buffers together.
const JOB_TIMEOUT: Delta = Delta::from_secs(10);

/// Milliseconds between two looks at an engine that has something to do.
const PERIOD: Msecs = 1000;

/// How far an engine was when it was looked at last.
#[derive(Default)]
pub(super) struct Progress(Option<Seen>);

struct Seen {
    job: u64,
    since: Instant<Monotonic>,
}

impl Progress {
    /// Whether the engine has been at `job` for too long.
    fn is_stuck(&mut self, job: u64) -> bool {
        match &self.0 {
            Some(seen) if seen.job == job => seen.since.elapsed() >= JOB_TIMEOUT,
            _ => {
                self.0 = Some(Seen {
                    job,
                    since: Instant::now(),
                });
                false
            }
        }
    }
}

impl Engine {
    /// Has the watchdog look at the engine in a while, if it is not about to anyway.
    pub(super) fn watch(self: &Arc<Self>) {
        let _ = self
            .shared
            .queue
            .enqueue_delayed(self.clone(), msecs_to_jiffies(PERIOD));
    }

    fn look(&self, queue: &mut Queue) {
        self.retire(queue);
        let Some((seqno, job)) = queue.pending.oldest() else {
            return;
        };
        let ready = job.waits.are_over(&self.shared.slots);
        let regs = &self.shared.regs;
        let status = regs.engine_read(self.index, ENGINE_STATUS);
        if !regs.is_present() || self.shared.is_dead() {
            self.die(queue);
        } else if status & STATUS_HALTED != 0 {
            self.recover(queue, EIO);
        } else if !ready {
            // The other engine has a watchdog of its own.
            queue.progress = Progress::default();
        } else if queue.progress.is_stuck(seqno) {
            self.recover(queue, ECANCELED);
        }
    }
}

impl WorkItem for Engine {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        let _section = SignallingSection::begin();
        let mut queue = this.queue.lock();
        this.look(&mut queue);
        if !queue.pending.is_empty() {
            this.watch();
        }
    }
}
