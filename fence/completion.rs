// SPDX-License-Identifier: GPL-2.0

//! Completion of a job: its outcome, and the callback that comes before its fence.

use kernel::{
    prelude::*,
    sync::aref::ARef, //
};

use crate::rust::dma_fence::Fence;

/// The outcome of a job.
pub(crate) struct Outcome {
    /// `EFAULT` if the job faulted, `EIO` if the ring did, `ECANCELED` if the job timed out or was
    /// cancelled, `ENODEV` if the device is gone.
    pub(crate) result: Result,
    /// The job's first fault.
    pub(crate) fault: Option<Fault>,
    /// Nanoseconds of device time that the job took.
    pub(crate) device_ns: u64,
}

impl Outcome {
    /// Returns the outcome of a job that no engine completed.
    pub(crate) fn failed(error: Error) -> Self {
        Self {
            result: Err(error),
            fault: None,
            device_ns: 0,
        }
    }
}

/// A fault of an engine.
#[derive(Clone, Copy)]
pub(crate) struct Fault {
    /// The engine.
    pub(crate) engine: u32,
    /// The address space, as the device numbers them.
    pub(crate) space: u32,
    /// The kind of the access.
    pub(crate) access: Access,
    /// Why it faulted.
    pub(crate) reason: FaultReason,
    /// GPU virtual address.
    pub(crate) address: u64,
}

/// Kind of an access that faulted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// A read by a packet.
    Read,
    /// A write by a packet.
    Write,
    /// A fetch of packets.
    Fetch,
    /// None that the driver knows.
    Unknown,
}

/// Reason of a fault.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultReason {
    /// There is no valid page-table entry.
    NotPresent,
    /// The page-table entry does not allow writes.
    NotWritable,
    /// A page-table entry is malformed.
    BadEntry,
    /// The address in a page-table entry is none of the device's.
    BadAddress,
    /// The GPU virtual address is too large.
    OutOfRange,
    /// Not a packet of the engine.
    BadPacket,
    /// An operand is not aligned.
    Misaligned,
    /// Atomics are not possible there.
    NoAtomics,
    /// A page of VRAM went bad.
    Poisoned,
    /// None that the driver knows.
    Unknown,
}

/// A reset while a job is in flight.
#[derive(Clone, Copy)]
pub(crate) enum Reset {
    /// Reset of the job's engine, which had not begun the job.
    Engine,
    /// Reset of the device, which loses the content of its memory.
    Device {
        /// Whether the engine may have begun the job.
        begun: bool,
    },
}

/// A job's callback, called before the job is handed to its engine and before its fence signals.
///
/// Its methods are called, and it is dropped, in the [signalling path](super): they must not
/// allocate memory, lock a reservation or wait for a fence.
pub(crate) trait CompletionCallback: Send {
    /// Returns a fence that has to signal before the job is handed to its engine, or [`None`].
    /// Called when the job's dependencies have signalled, and again after that fence.
    fn prepare(&mut self) -> Option<ARef<Fence>> {
        None
    }

    /// Handles the completion of the job. The fence signals with the result that is returned.
    fn complete(&mut self, outcome: &Outcome) -> Result;

    /// Returns whether the job is cancelled by a reset, rather than run, or run again, after it.
    fn is_cancelled_by(&self, reset: Reset) -> bool;

    /// Returns whether to retry the job, which hung. It must not return `true` without end.
    fn retry(&mut self) -> bool {
        false
    }
}

/// The completion of a job: its [`CompletionCallback`], if it has one.
///
/// The callback is told of the end once the job was handed to its engine. One that is dropped
/// before that does nothing.
pub(crate) struct Completion(Option<KBox<dyn CompletionCallback>>);

impl Completion {
    /// Allocates a completion that calls `callback`.
    pub(crate) fn new(callback: impl CompletionCallback + 'static) -> Result<Self> {
        let callback: KBox<dyn CompletionCallback> = KBox::new(callback, GFP_KERNEL_ACCOUNT)?;
        Ok(Self(Some(callback)))
    }

    /// Returns a completion without a callback: no reset cancels the job, and it is not retried.
    pub(crate) const fn none() -> Self {
        Self(None)
    }

    /// Returns a fence that has to signal before the job is handed to its engine, if there is one.
    pub(crate) fn prepare(&mut self) -> Option<ARef<Fence>> {
        self.0.as_mut()?.prepare()
    }

    /// Calls the callback and returns the result that the fence is to signal with.
    pub(crate) fn run(self, outcome: &Outcome) -> Result {
        match self.0 {
            Some(mut callback) => callback.complete(outcome),
            None => outcome.result,
        }
    }

    pub(super) fn is_cancelled_by(&self, reset: Reset) -> bool {
        self.0
            .as_ref()
            .is_some_and(|callback| callback.is_cancelled_by(reset))
    }

    pub(super) fn retry(&mut self) -> bool {
        self.0.as_mut().is_some_and(|callback| callback.retry())
    }
}
