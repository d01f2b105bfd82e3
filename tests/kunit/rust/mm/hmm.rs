// SPDX-License-Identifier: GPL-2.0

//! A process's pages as HMM finds them.

use core::ops::Range;

use kernel::{
    prelude::*,
    time::{
        msecs_to_jiffies,
        Jiffies, //
    }, //
};

use super::{
    undisturbed,
    watch,
    Memory,
    Notifier,
    Watch, //
};
use crate::rust::mm::{
    hmm::{
        HmmPfn,
        HmmRange, //
    },
    interval_notifier::IntervalOps, //
};

/// Faults pages in.
fn fault(notifier: &Notifier, range: Range<usize>, write: bool) -> Result<HmmRange<'_, Watch>> {
    let patience: Jiffies = msecs_to_jiffies(10_000);

    HmmRange::fault(notifier, range, write, patience)
}

/// Returns so many pages, as they are shown with the lock held. `EBUSY` if they have changed.
fn shown<const N: usize>(found: &HmmRange<'_, Watch>) -> Result<[HmmPfn; N]> {
    let sequence = found.sequence();
    let guard = sequence.notifier().lock();
    let pages = found.pages(&guard).ok_or(EBUSY)?;

    pages.try_into().or(Err(EINVAL))
}

#[kunit_tests(rgt_hmm)]
mod tests {
    use super::*;

    #[test]
    fn missing_pages_are_faulted_in() -> Result {
        let memory = Memory::new(3, true)?;
        let notifier = watch(memory.range(0..3))?;
        let missing = HmmRange::snapshot(notifier.read_begin(), memory.range(0..3))?;

        let pages = shown::<3>(&missing)?;
        assert!(pages.iter().all(|page| page.pfn().is_none()));
        assert!(!pages.iter().any(|page| page.is_valid() || page.is_error()));

        let (pages, again) = undisturbed(|| {
            let found = fault(&notifier, memory.range(0..3), true)?;
            // They are there now.
            let again = HmmRange::snapshot(found.sequence(), memory.range(1..3))?;
            Ok((shown::<3>(&found)?, shown::<2>(&again)?))
        })?;
        assert!(pages.iter().all(|page| page.is_valid()));
        assert!(pages.iter().all(|page| page.is_writable()));
        assert!(pages.iter().all(|page| page.map_order() == 0));
        assert!(pages[0].pfn() != pages[1].pfn());
        assert!(pages[1].pfn() != pages[2].pfn());
        assert!(pages[0].pfn() != pages[2].pfn());
        assert!(again == pages[1..]);
        Ok(())
    }

    #[test]
    fn changed_pages_are_not_shown() -> Result {
        let memory = Memory::new(2, true)?;
        let notifier = watch(memory.range(0..2))?;
        let found = undisturbed(|| {
            let found = fault(&notifier, memory.range(0..2), true)?;
            shown::<2>(&found)?;
            Ok(found)
        })?;

        memory.unmap(0..1)?;
        assert_eq!(shown::<2>(&found).err(), Some(EBUSY));
        let late = HmmRange::snapshot(found.sequence(), memory.range(0..2));
        assert_eq!(late.err(), Some(EBUSY));
        Ok(())
    }

    #[test]
    fn guard_of_another_lock_shows_nothing() -> Result {
        let memory = Memory::new(1, true)?;
        let notifier = watch(memory.range(0..1))?;
        let other = watch(memory.range(0..1))?;

        let is_shown = undisturbed(|| {
            let found = fault(&notifier, memory.range(0..1), true)?;
            let is_shown = found.pages(&other.lock()).is_some();
            // That is not because they have changed.
            shown::<1>(&found)?;
            Ok(is_shown)
        })?;
        assert!(!is_shown);
        Ok(())
    }

    #[test]
    fn read_only_memory_is_not_for_writes() -> Result {
        let memory = Memory::new(2, false)?;
        let notifier = watch(memory.range(0..2))?;

        assert_eq!(
            fault(&notifier, memory.range(0..2), true).err(),
            Some(EPERM)
        );
        let pages = undisturbed(|| {
            let found = fault(&notifier, memory.range(0..2), false)?;
            shown::<2>(&found)
        })?;
        assert!(pages.iter().all(|page| page.is_valid()));
        assert!(!pages.iter().any(|page| page.is_writable()));
        Ok(())
    }

    #[test]
    fn hole_has_no_pages() -> Result {
        let memory = Memory::new(3, true)?;
        let notifier = watch(memory.range(0..3))?;

        memory.unmap(1..2)?;
        assert_eq!(
            fault(&notifier, memory.range(0..3), false).err(),
            Some(EFAULT)
        );
        let pages = undisturbed(|| {
            let found = HmmRange::snapshot(notifier.read_begin(), memory.range(0..3))?;
            shown::<3>(&found)
        })?;
        assert!(pages[1].is_error());
        assert!(pages[1].pfn().is_none());
        assert!(!pages[2].is_error());
        Ok(())
    }

    #[test]
    fn only_pages_of_the_range_are_looked_up() -> Result {
        let memory = Memory::new(4, true)?;
        let notifier = watch(memory.range(1..3))?;
        let inside = memory.range(1..3);

        for range in [
            memory.range(0..2),
            memory.range(2..4),
            memory.range(0..4),
            memory.range(3..4),
            memory.range(2..2),
            inside.end..inside.start,
            inside.start..inside.end - 1,
            inside.start + 1..inside.end,
        ] {
            let found = fault(&notifier, range.clone(), true);
            assert_eq!(found.err(), Some(EINVAL));
            let found = HmmRange::snapshot(notifier.read_begin(), range);
            assert_eq!(found.err(), Some(EINVAL));
        }
        assert!(fault(&notifier, inside, true).is_ok());
        Ok(())
    }
}
