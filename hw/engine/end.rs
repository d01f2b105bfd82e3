// SPDX-License-Identifier: GPL-2.0

//! What is to be done when a job is over.

use kernel::prelude::*;

use crate::hw::fault::Fault;

/// How a job ended.
pub(crate) struct Outcome {
    /// `EFAULT` if it faulted, `EIO` if the ring did at it, `ECANCELED` if the engine was taken away
    /// from it or it was never begun, `ENODEV` if the device is gone.
    pub(crate) result: Result,
    /// Its first fault.
    pub(crate) fault: Option<Fault>,
    /// Nanoseconds of device time that it took.
    pub(crate) device_ns: u64,
}

impl Outcome {
    /// That of a job that no engine did.
    pub(super) fn failed(error: Error) -> Self {
        Self {
            result: Err(error),
            fault: None,
            device_ns: 0,
        }
    }
}

/// What was reset while a job was pending.
#[derive(Clone, Copy)]
pub(crate) enum Reset {
    /// Its engine, which had not begun it.
    Engine,
    /// The whole device: what was in its memory is lost.
    Device {
        /// Whether the engine may have begun the job.
        begun: bool,
    },
}

/// What has to be done when a job is over, before its fence signals.
///
/// This is called, and dropped, where fences signal: it must not allocate memory, lock a
/// reservation or wait for a fence.
pub(crate) trait OnEnd: Send {
    /// Does it. What is returned is what the job's fence tells.
    fn on_end(&mut self, outcome: &Outcome) -> Result;

    /// Whether the engine is not to do the job, or not again, after a reset.
    fn is_cancelled(&self, reset: Reset) -> bool;

    /// Whether the engine is to try the job once more that it did not get on with. To be answered
    /// with `true` a few times only.
    fn try_again(&mut self) -> bool {
        false
    }
}

/// An [`OnEnd`], or none. It is called once the engine has been given the job; that of a job that is
/// given up before is dropped.
pub(crate) struct EndHook(Option<KBox<dyn OnEnd>>);

impl EndHook {
    /// Makes a hook.
    pub(crate) fn new(on_end: impl OnEnd + 'static) -> Result<Self> {
        let on_end: KBox<dyn OnEnd> = KBox::new(on_end, GFP_KERNEL)?;
        Ok(Self(Some(on_end)))
    }

    /// Nothing is to be done.
    pub(crate) const fn none() -> Self {
        Self(None)
    }

    pub(super) fn is_cancelled(&self, reset: Reset) -> bool {
        self.0
            .as_ref()
            .is_some_and(|on_end| on_end.is_cancelled(reset))
    }

    pub(super) fn try_again(&mut self) -> bool {
        self.0.as_mut().is_some_and(|on_end| on_end.try_again())
    }

    /// The job is over. Returns what its fence is to tell.
    pub(super) fn end(self, outcome: &Outcome) -> Result {
        match self.0 {
            Some(mut on_end) => on_end.on_end(outcome),
            None => outcome.result,
        }
    }
}
