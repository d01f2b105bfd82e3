// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Waiting for the destruction of buffer objects in a way that a signal ends.
//!
//! `flush_workqueue()` cannot be interrupted, so a work queue of the device's own calls it for
//! those that wait.

use kernel::{
    impl_has_work,
    new_condvar,
    new_mutex,
    new_work,
    prelude::*,
    sync::{
        Arc,
        CondVar,
        Mutex, //
    },
    workqueue::{
        Work,
        WorkItem, //
    }, //
};

use crate::rust::{
    bindings,
    workqueue::ReclaimQueue, //
};

/// The number of flushes that have begun, and the last one that has ended. They run one after the
/// other.
struct Runs {
    begun: u64,
    ended: u64,
}

/// The work that flushes.
///
/// # Invariants
///
/// `bdev` is initialised while the work is queued or runs.
#[pin_data]
struct Flusher {
    bdev: *mut bindings::ttm_device,
    #[pin]
    work: Work<Self>,
    #[pin]
    runs: Mutex<Runs>,
    #[pin]
    ended: CondVar,
}

// SAFETY: The device's work queue can be flushed from any thread.
unsafe impl Send for Flusher {}
// SAFETY: As above.
unsafe impl Sync for Flusher {}

impl_has_work! {
    impl HasWork<Self> for Flusher { self.work }
}

impl WorkItem for Flusher {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        let run = {
            let mut runs = this.runs.lock();
            runs.begun += 1;
            runs.begun
        };

        // SAFETY: By the type invariants the device is initialised.
        unsafe { bindings::rgt_ttm_device_flush(this.bdev) };
        this.runs.lock().ended = run;
        this.ended.notify_all();
    }
}

/// Flushes the work queue on which a device's BOs are destroyed. Dropping it waits for a flush that
/// is under way.
pub(super) struct FlushQueue {
    queue: ReclaimQueue,
    flusher: Arc<Flusher>,
}

impl FlushQueue {
    /// Creates a queue for a device.
    ///
    /// # Safety
    ///
    /// `bdev` must be initialised until what is returned is dropped.
    pub(super) unsafe fn new(bdev: *mut bindings::ttm_device) -> Result<Self> {
        // INVARIANT: By the safety requirements, as `drop()` waits for all runs.
        let flusher = Arc::pin_init(
            pin_init!(Flusher {
                bdev,
                work <- new_work!("Flusher::work"),
                runs <- new_mutex!(Runs { begun: 0, ended: 0 }, "Flusher::runs"),
                ended <- new_condvar!("Flusher::ended"),
            }),
            GFP_KERNEL,
        )?;

        Ok(Self {
            queue: ReclaimQueue::new_ordered(c"ttm-flush")?,
            flusher,
        })
    }

    /// Waits for a flush that begins from now on. `ERESTARTSYS` when a signal came.
    pub(super) fn flush(&self) -> Result {
        let mut runs = self.flusher.runs.lock();
        let run = runs.begun + 1;

        // If it is queued already, that run has yet to begin.
        let _ = self.queue.enqueue(self.flusher.clone());
        while runs.ended < run {
            if self.flusher.ended.wait_interruptible(&mut runs) {
                return Err(ERESTARTSYS);
            }
        }
        Ok(())
    }
}

impl Drop for FlushQueue {
    fn drop(&mut self) {
        // An interrupted `flush()` leaves its run behind, and a queue that a worker drops is not
        // waited for.
        self.queue.flush();
    }
}
