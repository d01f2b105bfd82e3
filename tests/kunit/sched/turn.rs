// SPDX-License-Identifier: GPL-2.0

//! Turns of clients on an engine.

use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    }, //
};

use crate::{
    fence::Timeline,
    rust::{
        dma_fence::Fence,
        drm::sched::Priority, //
    },
    sched::turn::{
        Arbiter,
        Lengths,
        NextTurns,
        Turn, //
    }, //
};

/// More than a job takes that is short.
const LONG_NS: u64 = 1_000_000;

/// A context of a client.
struct Context<'a> {
    arbiter: &'a Arc<Arbiter>,
    client: &'a NextTurns,
    priority: Priority,
    lengths: Lengths,
    timeline: Timeline,
}

impl<'a> Context<'a> {
    fn new(arbiter: &'a Arc<Arbiter>, client: &'a NextTurns, priority: Priority) -> Result<Self> {
        Ok(Self {
            arbiter,
            client,
            priority,
            lengths: Lengths::new(),
            timeline: Timeline::new(c"rgt-kunit")?,
        })
    }

    /// Asks for a turn, and returns the fence that tells when it begins unless it has.
    fn ask(&self) -> Result<(Turn, Option<ARef<Fence>>)> {
        let mut turn = Turn::new(self.arbiter, self.priority, &self.timeline)?;
        let fence = turn.take(self.client, &self.lengths);

        Ok((turn, fence))
    }

    /// Takes a turn that must have come.
    fn begin(&self) -> Result<Turn> {
        let (turn, fence) = self.ask()?;

        assert!(fence.is_none());
        Ok(turn)
    }

    /// Waits for a turn that must not have come.
    fn wait(&self) -> Result<(Turn, ARef<Fence>)> {
        let (turn, fence) = self.ask()?;

        Ok((turn, fence.ok_or(EINVAL)?))
    }
}

/// Returns which of the fences have signalled, as the digits of a number.
fn begun(fences: &[&ARef<Fence>]) -> u32 {
    fences
        .iter()
        .fold(0, |all, fence| all * 10 + u32::from(fence.is_signaled()))
}

#[kunit_tests(rgt_sched_turn)]
mod tests {
    use super::*;

    #[test]
    fn clients_take_turns() -> Result {
        let arbiter = Arbiter::new()?;
        let (busy, small) = (NextTurns::new(), NextTurns::new());
        let first = Context::new(&arbiter, &busy, Priority::Normal)?;
        let second = Context::new(&arbiter, &busy, Priority::Normal)?;
        let third = Context::new(&arbiter, &busy, Priority::Normal)?;
        let other = Context::new(&arbiter, &small, Priority::Normal)?;

        let runs = first.begin()?;
        let (next, next_fence) = second.wait()?;
        let (last, last_fence) = third.wait()?;
        let (urgent, urgent_fence) = other.wait()?;
        let fences = [&urgent_fence, &next_fence, &last_fence];

        // The other client has not had one yet.
        drop(runs);
        assert_eq!(begun(&fences), 100);
        // Nor is it at a disadvantage for that afterwards.
        let (again, again_fence) = other.wait()?;
        drop(urgent);
        assert_eq!(begun(&fences), 110);
        drop(next);
        assert_eq!((begun(&fences), again_fence.is_signaled()), (110, true));
        drop(again);
        assert_eq!(begun(&fences), 111);
        drop(last);
        drop(other.begin()?);
        Ok(())
    }

    #[test]
    fn absence_earns_nothing() -> Result {
        let arbiter = Arbiter::new()?;
        let (busy, rested) = (NextTurns::new(), NextTurns::new());
        let one = Context::new(&arbiter, &busy, Priority::Normal)?;
        let other = [
            Context::new(&arbiter, &rested, Priority::Normal)?,
            Context::new(&arbiter, &rested, Priority::Normal)?,
        ];

        for _ in 0..100 {
            drop(one.begin()?);
        }
        let runs = one.begin()?;
        let (first, first_fence) = other[0].wait()?;
        let (second, second_fence) = other[1].wait()?;
        let (mine, mine_fence) = one.wait()?;
        let fences = [&first_fence, &mine_fence, &second_fence];

        drop(runs);
        assert_eq!(begun(&fences), 100);
        drop(first);
        // They have had as many by now, and this one asked before.
        assert_eq!(begun(&fences), 101);
        drop(second);
        assert_eq!(begun(&fences), 111);
        drop(mine);
        Ok(())
    }

    #[test]
    fn higher_priority_comes_first() -> Result {
        let arbiter = Arbiter::new()?;
        let client = NextTurns::new();
        let low = Context::new(&arbiter, &client, Priority::Low)?;
        let normal = Context::new(&arbiter, &client, Priority::Normal)?;
        let high = Context::new(&arbiter, &client, Priority::High)?;

        let runs = low.begin()?;
        let (third, third_fence) = low.wait()?;
        let (second, second_fence) = normal.wait()?;
        let (first, first_fence) = high.wait()?;
        let fences = [&first_fence, &second_fence, &third_fence];

        drop(runs);
        assert_eq!(begun(&fences), 100);
        drop(first);
        assert_eq!(begun(&fences), 110);
        drop(second);
        assert_eq!(begun(&fences), 111);
        drop(third);
        Ok(())
    }

    #[test]
    fn short_jobs_go_behind_others() -> Result {
        let arbiter = Arbiter::new()?;
        let client = NextTurns::new();
        let context = Context::new(&arbiter, &client, Priority::Normal)?;
        let unknown = Context::new(&arbiter, &client, Priority::Normal)?;

        for _ in 0..8 {
            context.lengths.add(1);
        }
        let first = context.begin()?;
        let second = context.begin()?;
        let third = context.begin()?;
        let (fourth, fourth_fence) = context.wait()?;
        let (alone, alone_fence) = unknown.wait()?;
        let fences = [&fourth_fence, &alone_fence];

        drop(first);
        assert_eq!(begun(&fences), 10);
        drop((second, third));
        assert_eq!(begun(&fences), 10);
        drop(fourth);
        assert_eq!(begun(&fences), 11);
        // Nothing goes behind one whose length is not known.
        let (next, next_fence) = context.wait()?;
        drop(alone);
        assert!(next_fence.is_signaled());
        drop(next);

        context.lengths.add(LONG_NS);
        let first = context.begin()?;
        let (second, second_fence) = context.wait()?;
        drop(first);
        assert!(second_fence.is_signaled());
        drop(second);
        Ok(())
    }

    #[test]
    fn job_that_goes_gives_its_turn_up() -> Result {
        let arbiter = Arbiter::new()?;
        let client = NextTurns::new();
        let contexts = [
            Context::new(&arbiter, &client, Priority::Normal)?,
            Context::new(&arbiter, &client, Priority::Normal)?,
            Context::new(&arbiter, &client, Priority::Normal)?,
        ];
        let runs = contexts[0].begin()?;
        let (waits, waits_fence) = contexts[1].wait()?;
        let (next, next_fence) = contexts[2].wait()?;

        // While it waits, and when its turn has begun and it does not know yet.
        drop(waits);
        assert_eq!(waits_fence.status(), Some(Err(ECANCELED)));
        let (waits, _) = contexts[1].wait()?;
        drop(runs);
        assert!(next_fence.is_signaled());
        drop(next);
        drop(waits);
        drop(contexts[0].begin()?);
        // One that was never asked about.
        drop(Turn::new(
            &arbiter,
            Priority::Normal,
            &contexts[0].timeline,
        )?);
        drop(contexts[0].begin()?);
        Ok(())
    }

    #[test]
    fn turn_that_has_begun_is_taken_once() -> Result {
        let arbiter = Arbiter::new()?;
        let client = NextTurns::new();
        let context = Context::new(&arbiter, &client, Priority::Normal)?;
        let other = Context::new(&arbiter, &client, Priority::Normal)?;
        let runs = context.begin()?;
        let (mut waits, fence) = other.wait()?;

        let again = waits.take(other.client, &other.lengths);
        assert!(again.is_some_and(|again| core::ptr::eq(&*again, &*fence)));
        drop(runs);
        assert!(waits.take(other.client, &other.lengths).is_none());
        assert!(waits.take(other.client, &other.lengths).is_none());
        drop(waits);
        drop(context.begin()?);
        Ok(())
    }
}
