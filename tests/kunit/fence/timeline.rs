// SPDX-License-Identifier: GPL-2.0

//! Jobs in flight on a timeline: their numbers, their order, and how resets end them.

use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        aref::ARef,
        Arc,
        Mutex, //
    }, //
};

use crate::{
    fence::{
        Completion,
        CompletionCallback,
        InFlight,
        Outcome,
        Reset,
        Timeline,
        MAX_IN_FLIGHT, //
    },
    rust::dma_fence::Fence, //
};

/// A timeline and its jobs, which the hardware keeps their sequence numbers of.
struct Engine {
    timeline: Timeline,
    jobs: InFlight<u64>,
}

impl Engine {
    fn new() -> Result<Self> {
        Ok(Self {
            timeline: Timeline::new(c"engine under test")?,
            jobs: InFlight::new()?,
        })
    }

    fn publish(&mut self, completion: Completion) -> Result<ARef<Fence>> {
        let fence = self.timeline.new_fence()?;
        self.jobs.publish(fence, completion, |seqno| seqno)
    }

    /// Completes all jobs up to `last` as the engine would.
    fn complete(&mut self, last: u64) {
        while self.jobs.complete_oldest(last, |seqno, hw| {
            assert_eq!(seqno, *hw);
            done(Ok(()))
        }) {}
    }
}

fn done(result: Result) -> Outcome {
    Outcome {
        result,
        fault: None,
        device_ns: 0,
    }
}

/// The results that a callback was called with.
#[pin_data]
struct Log {
    #[pin]
    results: Mutex<KVec<Result>>,
}

impl Log {
    fn new() -> Result<Arc<Self>> {
        let results = KVec::with_capacity(MAX_IN_FLIGHT, GFP_KERNEL)?;
        Arc::pin_init(
            pin_init!(Self {
                results <- new_mutex!(results),
            }),
            GFP_KERNEL,
        )
    }
}

/// A callback with given answers.
struct Answers {
    log: Arc<Log>,
    /// The fence's result in place of the outcome's.
    result: Option<Result>,
    /// Set if a reset of the engine cancels the job.
    engine: bool,
    /// Set if a reset of the device cancels the job: one that may have begun, one that has not.
    device: (bool, bool),
    retries: u32,
}

impl Answers {
    fn new(log: &Arc<Log>) -> Self {
        Self {
            log: log.clone(),
            result: None,
            engine: false,
            device: (false, false),
            retries: 0,
        }
    }

    fn completion(self) -> Result<Completion> {
        Completion::new(self)
    }
}

impl CompletionCallback for Answers {
    fn complete(&mut self, outcome: &Outcome) -> Result {
        let _ = self.log.results.lock().push_within_capacity(outcome.result);
        self.result.unwrap_or(outcome.result)
    }

    fn is_cancelled_by(&self, reset: Reset) -> bool {
        match reset {
            Reset::Engine => self.engine,
            Reset::Device { begun: true } => self.device.0,
            Reset::Device { begun: false } => self.device.1,
        }
    }

    fn retry(&mut self) -> bool {
        let retry = self.retries > 0;
        self.retries = self.retries.saturating_sub(1);
        retry
    }
}

#[kunit_tests(rgt_in_flight)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_no_gaps() -> Result {
        let mut engine = Engine::new()?;

        for seqno in 1..=3 * MAX_IN_FLIGHT as u64 {
            assert_eq!(engine.jobs.oldest(), None);
            assert_eq!(engine.publish(Completion::none())?.seqno(), seqno);
            assert_eq!(engine.jobs.oldest(), Some(seqno));
            engine.complete(seqno);
        }
        assert_eq!(engine.jobs.counts(), (3 * MAX_IN_FLIGHT as u64, 0));
        Ok(())
    }

    #[test]
    fn full_timeline_takes_no_job() -> Result {
        let mut engine = Engine::new()?;

        for _ in 0..MAX_IN_FLIGHT {
            assert!(!engine.jobs.is_full());
            engine.publish(Completion::none())?;
        }
        assert!(engine.jobs.is_full());
        assert_eq!(engine.publish(Completion::none()).err(), Some(EBUSY));
        assert_eq!(engine.jobs.counts(), (0, MAX_IN_FLIGHT as u64));

        engine.complete(1);
        assert_eq!(
            engine.publish(Completion::none())?.seqno(),
            MAX_IN_FLIGHT as u64 + 1
        );
        engine.complete(u64::MAX);
        assert!(engine.jobs.is_empty());
        Ok(())
    }

    #[test]
    fn jobs_complete_up_to_the_last_seqno() -> Result {
        let mut engine = Engine::new()?;
        let first = engine.publish(Completion::none())?;
        let second = engine.publish(Completion::none())?;
        let third = engine.publish(Completion::none())?;

        engine.complete(0);
        assert_eq!(first.status(), None);
        engine.complete(2);
        assert_eq!(first.status(), Some(Ok(())));
        assert_eq!(second.status(), Some(Ok(())));
        assert_eq!(third.status(), None);
        engine.complete(3);
        assert_eq!(third.status(), Some(Ok(())));
        Ok(())
    }

    #[test]
    fn callback_decides_the_result() -> Result {
        let mut engine = Engine::new()?;
        let log = Log::new()?;
        let mut answers = Answers::new(&log);
        answers.result = Some(Err(EIO));
        let fence = engine.publish(answers.completion()?)?;

        assert!(engine.jobs.complete_oldest(1, |_, _| done(Err(EFAULT))));
        assert_eq!(fence.status(), Some(Err(EIO)));
        assert_eq!(&log.results.lock()[..], &[Err(EFAULT)]);
        Ok(())
    }

    #[test]
    fn failed_job_keeps_its_place_and_first_error() -> Result {
        let mut engine = Engine::new()?;
        let first = engine.publish(Completion::none())?;
        let second = engine.publish(Completion::none())?;

        assert!(engine.jobs.fail(2, ECANCELED));
        assert!(engine.jobs.fail(2, EIO));
        assert_eq!(second.status(), None);
        assert!(engine
            .jobs
            .iter()
            .map(|(seqno, _, failed)| (seqno, failed))
            .eq([(1, false), (2, true)]));

        engine.complete(2);
        assert_eq!(first.status(), Some(Ok(())));
        assert_eq!(second.status(), Some(Err(ECANCELED)));
        Ok(())
    }

    #[test]
    fn only_jobs_in_flight_fail() -> Result {
        let mut engine = Engine::new()?;
        engine.publish(Completion::none())?;
        engine.complete(1);
        let fence = engine.publish(Completion::none())?;

        assert!(!engine.jobs.fail(1, EIO));
        assert!(!engine.jobs.fail(3, EIO));
        // The slot of job 2.
        assert!(!engine.jobs.fail(2 + MAX_IN_FLIGHT as u64, EIO));
        engine.complete(2);
        assert_eq!(fence.status(), Some(Ok(())));
        Ok(())
    }

    #[test]
    fn hung_job_is_retried_as_its_callback_says() -> Result {
        let mut engine = Engine::new()?;
        let log = Log::new()?;
        let mut answers = Answers::new(&log);
        answers.retries = 1;
        let fence = engine.publish(answers.completion()?)?;

        assert!(!engine.jobs.fail(1, ECANCELED));
        assert!(engine.jobs.fail(1, ECANCELED));
        engine.complete(1);
        assert_eq!(fence.status(), Some(Err(ECANCELED)));
        Ok(())
    }

    #[test]
    fn cancelled_job_is_not_retried() -> Result {
        let mut engine = Engine::new()?;
        let log = Log::new()?;
        let mut answers = Answers::new(&log);
        answers.engine = true;
        answers.retries = 1;
        let fence = engine.publish(answers.completion()?)?;

        engine.jobs.cancel_on_engine_reset();
        assert!(engine.jobs.fail(1, EIO));
        engine.complete(1);
        assert_eq!(fence.status(), Some(Err(ECANCELED)));
        Ok(())
    }

    #[test]
    fn engine_reset_cancels_as_callbacks_say() -> Result {
        let mut engine = Engine::new()?;
        let log = Log::new()?;
        let mut answers = Answers::new(&log);
        answers.engine = true;
        let kept = engine.publish(Completion::none())?;
        let cancelled = engine.publish(answers.completion()?)?;
        let other = engine.publish(Answers::new(&log).completion()?)?;

        engine.jobs.cancel_on_engine_reset();
        engine.complete(3);
        assert_eq!(kept.status(), Some(Ok(())));
        assert_eq!(cancelled.status(), Some(Err(ECANCELED)));
        assert_eq!(other.status(), Some(Ok(())));
        assert_eq!(&log.results.lock()[..], &[Err(ECANCELED), Ok(())]);
        Ok(())
    }

    #[test]
    fn only_the_oldest_job_may_have_begun() -> Result {
        let mut engine = Engine::new()?;
        let log = Log::new()?;
        engine.publish(Completion::none())?;
        engine.complete(1);
        let mut fences = KVec::new();
        for device in [(true, false), (true, false), (false, true)] {
            let mut answers = Answers::new(&log);
            answers.device = device;
            fences.push(engine.publish(answers.completion()?)?, GFP_KERNEL)?;
        }

        engine.jobs.cancel_on_device_reset();
        engine.complete(u64::MAX);
        assert_eq!(fences[0].status(), Some(Err(ECANCELED)));
        assert_eq!(fences[1].status(), Some(Ok(())));
        assert_eq!(fences[2].status(), Some(Err(ECANCELED)));
        Ok(())
    }

    #[test]
    fn dropped_jobs_are_cancelled() -> Result {
        let mut engine = Engine::new()?;
        let fence = engine.publish(Completion::none())?;

        drop(engine);
        assert_eq!(fence.status(), Some(Err(ECANCELED)));
        Ok(())
    }
}
