// SPDX-License-Identifier: GPL-2.0

//! The dump of the first hang.
//!
//! It is written where fences signal, hence into memory that is there already, and handed to the
//! devcoredump core from elsewhere.

use kernel::{
    device::Device,
    fmt::{
        Error as FmtError,
        Result as FmtResult,
        Write, //
    },
    new_mutex,
    prelude::*,
    sync::{
        aref::ARef,
        Arc,
        Mutex, //
    },
    workqueue::{
        impl_has_delayed_work,
        new_delayed_work,
        DelayedWork,
        WorkItem, //
    }, //
};

use super::job::Hardware;
use crate::rust::{
    devcoredump::Dump,
    dma_fence::Fence,
    workqueue::{
        disable_delayed_work_sync,
        ReclaimQueue, //
    }, //
};

/// Most bytes of a dump; what is beyond is cut off.
const SIZE: usize = 64 << 10;

/// What takes the dump.
#[pin_data]
pub(super) struct Dumper {
    dev: ARef<Device>,
    queue: ReclaimQueue,
    /// Room for the dump, until it is taken; then the dump, until it is handed over.
    #[pin]
    text: Mutex<State>,
    #[pin]
    work: DelayedWork<Self>,
}

impl_has_delayed_work! {
    impl HasDelayedWork<Self> for Dumper { self.work }
}

enum State {
    Room(Text),
    Taken(Text),
    Gone,
}

struct Text(KVVec<u8>);

impl Write for Text {
    fn write_str(&mut self, text: &str) -> FmtResult {
        for &byte in text.as_bytes() {
            self.0.push_within_capacity(byte).map_err(|_| FmtError)?;
        }
        Ok(())
    }
}

impl Dumper {
    pub(super) fn new(dev: &Device) -> Result<Arc<Self>> {
        let room = Text(KVVec::with_capacity(SIZE, GFP_KERNEL)?);
        let queue = ReclaimQueue::new(c"rust_gpu_ttm-dump")?;
        Arc::pin_init(
            pin_init!(Self {
                dev: dev.into(),
                queue,
                text <- new_mutex!(State::Room(room), "Dumper::text"),
                work <- new_delayed_work!("Dumper::work"),
            }),
            GFP_KERNEL,
        )
    }

    /// Takes a dump of a device on which the job of `fence` hangs, unless there has been one.
    pub(super) fn take(self: &Arc<Self>, hardware: &Hardware, fence: &Fence) {
        let mut state = self.text.lock();
        if !matches!(*state, State::Room(_)) {
            return;
        }
        let State::Room(mut text) = core::mem::replace(&mut *state, State::Gone) else {
            return;
        };
        // What does not fit is cut off.
        let _ = writeln!(
            text,
            "rust_gpu_ttm: job {} of engine {} takes too long",
            fence.seqno(),
            hardware.engine.index()
        )
        .and_then(|()| hardware.resetter.print(&mut text));
        *state = State::Taken(text);
        drop(state);

        // It cannot be queued yet.
        let _ = self.queue.enqueue_delayed(self.clone(), 0);
    }
}

impl Dumper {
    fn hand_over(&self, text: &Text) {
        // It was written as text, and cut off at the end of a piece.
        let Ok(text) = core::str::from_utf8(&text.0) else {
            return;
        };
        let Ok(mut dump) = Dump::with_capacity(text.len()) else {
            return;
        };
        // There is room for it.
        let _ = dump.write_str(text);
        dump.submit(&self.dev);
    }
}

/// Whoever has this waits for the dump to be handed over before it goes.
pub(super) struct DumperGuard(pub(super) Arc<Dumper>);

impl Drop for DumperGuard {
    fn drop(&mut self) {
        disable_delayed_work_sync(&self.0);
    }
}

impl WorkItem for Dumper {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        let state = core::mem::replace(&mut *this.text.lock(), State::Gone);
        if let State::Taken(text) = state {
            this.hand_over(&text);
        }
    }
}
