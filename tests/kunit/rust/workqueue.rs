// SPDX-License-Identifier: GPL-2.0

//! Work queues that go while there is work for them.

use kernel::{
    prelude::*,
    sync::{
        atomic::{
            AtomicFlag,
            Relaxed, //
        },
        Arc, //
    },
    time::{
        msecs_to_jiffies,
        Jiffies, //
    },
    workqueue::{
        impl_has_delayed_work,
        new_delayed_work,
        DelayedWork,
        WorkItem, //
    }, //
};

use crate::{
    rust::workqueue::{
        disable_delayed_work_sync,
        DelayedReclaimWork,
        ReclaimQueue, //
    },
    tests::wait::{
        settle,
        soon, //
    }, //
};

/// Work that keeps its queue, and tells when it has run and when it is gone.
#[pin_data]
struct Item {
    queue: ReclaimQueue,
    gone: Gone,
    ran: Arc<AtomicFlag>,
    disables_itself: bool,
    #[pin]
    work: DelayedWork<Self>,
}

impl_has_delayed_work! {
    impl HasDelayedWork<Self> for Item { self.work }
}

struct Gone(Arc<AtomicFlag>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

impl DelayedReclaimWork for Item {
    fn queue(&self) -> &ReclaimQueue {
        &self.queue
    }
}

impl WorkItem for Item {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        if this.disables_itself {
            disable_delayed_work_sync(&this);
            this.clone().enqueue_delayed(0);
        }
        this.ran.store(true, Relaxed);
    }
}

/// Queues an item that nothing else refers to, and returns the flags that are set when it has run
/// and when it is gone.
fn enqueue(delay: Jiffies, disables_itself: bool) -> Result<(Arc<AtomicFlag>, Arc<AtomicFlag>)> {
    let ran = Arc::new(AtomicFlag::new(false), GFP_KERNEL)?;
    let gone = Arc::new(AtomicFlag::new(false), GFP_KERNEL)?;
    let flags = (ran.clone(), gone.clone());
    let item = Arc::pin_init(
        try_pin_init!(Item {
            queue: ReclaimQueue::new(c"rgt-kunit")?,
            gone: Gone(gone),
            ran,
            disables_itself,
            work <- new_delayed_work!("Item::work"),
        }? Error),
        GFP_KERNEL,
    )?;

    item.enqueue_delayed(delay);
    Ok(flags)
}

#[kunit_tests(rgt_workqueue)]
mod tests {
    use super::*;

    #[test]
    fn drop_waits_for_work() -> Result {
        let queue = ReclaimQueue::new(c"rgt-kunit")?;
        let done = Arc::new(AtomicFlag::new(false), GFP_KERNEL)?;
        let at_work = done.clone();

        queue.try_spawn(GFP_KERNEL, move || {
            settle();
            at_work.store(true, Relaxed);
        })?;
        drop(queue);
        assert!(done.load(Relaxed));
        Ok(())
    }

    #[test]
    fn delayed_work_keeps_its_queue() -> Result {
        let (ran, gone) = enqueue(msecs_to_jiffies(100), false)?;

        // A queue that went with the last reference of this task would be used by the timer.
        assert!(soon(|| ran.load(Relaxed)));
        assert!(soon(|| gone.load(Relaxed)));
        Ok(())
    }

    #[test]
    fn worker_drops_its_own_queue() -> Result {
        let (ran, gone) = enqueue(0, false)?;

        assert!(soon(|| ran.load(Relaxed)));
        assert!(soon(|| gone.load(Relaxed)));
        Ok(())
    }

    #[test]
    fn work_disables_itself() -> Result {
        let (ran, gone) = enqueue(0, true)?;

        assert!(soon(|| ran.load(Relaxed)));
        assert!(soon(|| gone.load(Relaxed)));
        Ok(())
    }
}
