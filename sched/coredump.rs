// SPDX-License-Identifier: GPL-2.0

//! The core dump of a hang.
//!
//! It is captured in the signalling path, hence into a buffer that was allocated before, and
//! submitted to devcoredump by a work item. The buffer is for the next hang then: devcoredump keeps
//! the dump that it has until it was read, and throws others away.

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

use crate::{
    hw::{
        Engine,
        Resetter, //
    },
    rust::{
        devcoredump::Dump,
        dma_fence::Fence,
        workqueue::{
            disable_delayed_work_sync,
            DelayedReclaimWork,
            ReclaimQueue, //
        }, //
    }, //
};

/// Maximum size of a core dump in bytes. The rest is cut off.
const SIZE: usize = 64 << 10;

/// The core dump of a device.
#[pin_data]
pub(super) struct Coredump {
    dev: ARef<Device>,
    queue: ReclaimQueue,
    #[pin]
    state: Mutex<State>,
    #[pin]
    work: DelayedWork<Self>,
}

impl_has_delayed_work! {
    impl HasDelayedWork<Self> for Coredump { self.work }
}

enum State {
    /// The buffer for the next dump.
    Empty(Buffer),
    /// The dump is to be submitted.
    Captured(Buffer),
    /// The dump is being captured or submitted.
    Busy,
}

struct Buffer(KVVec<u8>);

impl Write for Buffer {
    fn write_str(&mut self, text: &str) -> FmtResult {
        for &byte in text.as_bytes() {
            self.0.push_within_capacity(byte).map_err(|_| FmtError)?;
        }
        Ok(())
    }
}

impl Coredump {
    pub(super) fn new(dev: &Device) -> Result<Arc<Self>> {
        let buffer = Buffer(KVVec::with_capacity(SIZE, GFP_KERNEL)?);
        let queue = ReclaimQueue::new(c"rust_gpu_ttm-dump")?;
        Arc::pin_init(
            pin_init!(Self {
                dev: dev.into(),
                queue,
                state <- new_mutex!(State::Empty(buffer), "Coredump::state"),
                work <- new_delayed_work!("Coredump::work"),
            }),
            GFP_KERNEL,
        )
    }

    /// Captures the state of a device on which the job of `fence` hangs, unless the dump of another
    /// hang is still to be submitted.
    pub(super) fn capture(self: &Arc<Self>, engine: &Engine, resetter: &Resetter, fence: &Fence) {
        let mut state = self.state.lock();
        if !matches!(*state, State::Empty(_)) {
            return;
        }
        let State::Empty(mut text) = core::mem::replace(&mut *state, State::Busy) else {
            return;
        };
        // An error means that the rest is cut off.
        let _ = writeln!(
            text,
            "rust_gpu_ttm: job {} of engine {} takes too long",
            fence.seqno(),
            engine.index()
        )
        .and_then(|()| resetter.print(&mut text));
        *state = State::Captured(text);
        drop(state);

        // If it is queued already, it has yet to look at the state.
        self.clone().enqueue_delayed(0);
    }

    fn submit(&self, text: &Buffer) {
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

/// A guard that waits for the submission of a core dump when it is dropped.
pub(super) struct CoredumpGuard(pub(super) Arc<Coredump>);

impl Drop for CoredumpGuard {
    fn drop(&mut self) {
        disable_delayed_work_sync(&self.0);
    }
}

impl DelayedReclaimWork for Coredump {
    fn queue(&self) -> &ReclaimQueue {
        &self.queue
    }
}

impl WorkItem for Coredump {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        let mut state = this.state.lock();
        if !matches!(*state, State::Captured(_)) {
            return;
        }
        let State::Captured(mut text) = core::mem::replace(&mut *state, State::Busy) else {
            return;
        };
        drop(state);

        this.submit(&text);
        text.0.clear();
        *this.state.lock() = State::Empty(text);
    }
}
