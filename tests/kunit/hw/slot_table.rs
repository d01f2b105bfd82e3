// SPDX-License-Identifier: GPL-2.0

//! Which address space has which slot, and which job waits for one.

use kernel::{
    prelude::*,
    sync::aref::ARef, //
};

use crate::{
    fence::{
        Completion,
        InFlight,
        Outcome,
        Timeline, //
    },
    hw::{
        Choice,
        SlotTable,
        SLOTS, //
    },
    rust::dma_fence::Fence, //
};

/// The root of a space.
fn root(space: u64) -> u64 {
    space << 12 | 1
}

/// The slots, and an engine whose jobs use them.
struct Gpu {
    slots: SlotTable<u64>,
    timeline: Timeline,
    jobs: InFlight<()>,
}

impl Gpu {
    fn new() -> Result<KBox<Self>> {
        let gpu = Self {
            slots: SlotTable::new(),
            timeline: Timeline::new(c"engine under test")?,
            jobs: InFlight::new()?,
        };
        Ok(KBox::new(gpu, GFP_KERNEL)?)
    }

    /// Submits a job of a space that need not wait, and returns the slot and whether it is new.
    fn submit(&mut self, space: u64) -> Result<(u32, bool)> {
        let (slot, new) = match self.slots.reserve(space, root(space)) {
            Choice::Kept(slot) => (slot, false),
            Choice::Assigned(slot) => (slot, true),
            Choice::Wait(_) => return Err(EAGAIN),
            Choice::Exhausted => return Err(EBUSY),
        };
        let fence = self.timeline.new_fence()?;
        let fence = self.jobs.publish(fence, Completion::none(), |_| ())?;
        self.slots.note_job(slot, 0, &fence);
        self.slots.unreserve(slot);
        Ok((slot, new))
    }

    /// Ends the oldest `count` jobs.
    fn complete(&mut self, count: usize) {
        for _ in 0..count {
            self.jobs.complete_oldest(u64::MAX, |_, ()| Outcome {
                result: Ok(()),
                fault: None,
                device_ns: 0,
            });
        }
    }

    /// Returns the fence that a job of a space has to wait for.
    fn wait(&mut self, space: u64) -> Result<ARef<Fence>> {
        match self.slots.reserve(space, root(space)) {
            Choice::Wait(fence) => Ok(fence),
            _ => Err(EINVAL),
        }
    }
}

/// Spaces of which each has a slot, numbered as these are.
fn all() -> core::ops::RangeInclusive<u64> {
    1..=SLOTS as u64
}

#[kunit_tests(rgt_slots)]
mod tests {
    use super::*;

    #[test]
    fn each_space_keeps_its_slot() -> Result {
        let mut gpu = Gpu::new()?;

        for space in all() {
            assert_eq!(gpu.submit(space)?, (space as u32, true));
        }
        gpu.complete(SLOTS);
        for space in all().rev() {
            assert_eq!(gpu.submit(space)?, (space as u32, false));
            assert_eq!(gpu.slots.of(space), Some(space as u32));
        }
        Ok(())
    }

    #[test]
    fn the_idle_slot_used_longest_ago_goes() -> Result {
        let mut gpu = Gpu::new()?;
        for space in all() {
            gpu.submit(space)?;
        }
        gpu.complete(SLOTS);
        gpu.submit(1)?;
        gpu.submit(3)?;
        gpu.complete(1);

        // 3 is busy, 1 was used last of the others.
        assert_eq!(gpu.submit(100)?, (2, true));
        assert_eq!(gpu.submit(101)?, (4, true));
        assert_eq!(gpu.slots.of(2), None);
        assert_eq!(gpu.slots.of(1), Some(1));
        // One that has lost its slot gets another one.
        assert_eq!(gpu.submit(2)?, (5, true));
        Ok(())
    }

    #[test]
    fn without_an_idle_slot_jobs_wait_for_that_used_longest_ago() -> Result {
        let mut gpu = Gpu::new()?;
        for space in all() {
            gpu.submit(space)?;
        }

        let first = gpu.wait(100)?;
        assert_eq!(first.seqno(), 1);
        gpu.complete(1);
        assert!(first.is_signaled());
        assert_eq!(gpu.submit(100)?, (1, true));
        assert_eq!(gpu.wait(101)?.seqno(), 2);
        Ok(())
    }

    #[test]
    fn a_space_that_is_never_idle_gives_its_slot_up() -> Result {
        let mut gpu = Gpu::new()?;
        for space in all() {
            gpu.submit(space)?;
        }
        gpu.submit(1)?;
        let waited = gpu.wait(100)?;
        assert_eq!(waited.seqno(), 2);

        // More jobs of space 2 would keep it busy.
        assert_eq!(gpu.wait(2)?.seqno(), 2);
        // Those of other spaces need not wait.
        assert_eq!(gpu.submit(3)?, (3, false));
        gpu.complete(2);
        assert_eq!(gpu.submit(100)?, (2, true));
        assert_eq!(gpu.wait(2)?.seqno(), 4);
        Ok(())
    }

    #[test]
    fn a_slot_that_was_not_taken_is_kept() -> Result {
        let mut gpu = Gpu::new()?;
        for space in all() {
            gpu.submit(space)?;
        }
        gpu.wait(100)?;
        gpu.complete(1);

        // The job that waited was cancelled.
        assert_eq!(gpu.submit(1)?, (1, false));
        assert_eq!(gpu.submit(1)?, (1, false));
        Ok(())
    }

    #[test]
    fn a_reserved_slot_stays() -> Result {
        let mut gpu = Gpu::new()?;
        assert!(matches!(gpu.slots.reserve(1, root(1)), Choice::Assigned(1)));
        for space in all().skip(1) {
            gpu.submit(space)?;
        }
        gpu.complete(SLOTS);

        for space in 100..100 + SLOTS as u64 - 1 {
            assert!(gpu.submit(space)?.1);
        }
        assert_eq!(gpu.slots.of(1), Some(1));
        assert_eq!(gpu.wait(200)?.seqno(), SLOTS as u64);
        gpu.slots.unreserve(1);
        assert_eq!(gpu.submit(200)?, (1, true));
        Ok(())
    }

    #[test]
    fn without_a_job_to_wait_for_there_is_no_slot() -> Result {
        let mut gpu = Gpu::new()?;
        for space in all() {
            assert!(matches!(
                gpu.slots.reserve(space, root(space)),
                Choice::Assigned(_)
            ));
        }
        assert_eq!(gpu.submit(100), Err(EBUSY));
        assert!(matches!(gpu.slots.reserve(1, root(1)), Choice::Kept(1)));
        Ok(())
    }

    #[test]
    fn a_reset_restores_the_roots_of_slots_in_use() -> Result {
        let mut gpu = Gpu::new()?;
        for space in [7, 8, 9] {
            gpu.submit(space)?;
        }
        gpu.complete(3);
        assert_eq!(gpu.slots.free(8), Some(2));
        assert_eq!(gpu.slots.free(8), None);

        assert!(gpu.slots.roots().eq([(1, root(7)), (3, root(9))]));
        assert_eq!(gpu.submit(10)?, (2, true));
        assert!(gpu
            .slots
            .roots()
            .eq([(1, root(7)), (2, root(10)), (3, root(9))]));
        Ok(())
    }
}
