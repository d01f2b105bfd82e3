// SPDX-License-Identifier: GPL-2.0

//! Notifiers of changes of a process's pages.

use kernel::{
    prelude::*,
    sync::Arc, //
};

use super::{
    watch,
    Memory,
    Watch, //
};
use crate::{
    rust::mm::interval_notifier::{
        IntervalOps,
        Sequence, //
    },
    tests::rust::module::holds_references, //
};

fn has_changed(since: Sequence<'_, Watch>) -> bool {
    since.read_retry(&since.notifier().lock())
}

#[kunit_tests(rgt_interval_notifier)]
mod tests {
    use super::*;

    #[test]
    fn change_is_told_of() -> Result {
        let memory = Memory::new(4, true)?;
        let notifier = watch(memory.range(0..4))?;
        let before = notifier.read_begin();

        assert!(!has_changed(before));
        assert_eq!(notifier.told.counts(), (0, 0));

        memory.unmap(1..2)?;
        let (begun, invalidated) = notifier.told.counts();
        assert!(begun > 0);
        assert_eq!(begun, invalidated);
        assert!(has_changed(before));
        assert!(!has_changed(notifier.read_begin()));
        Ok(())
    }

    #[test]
    fn other_addresses_are_not_told_of() -> Result {
        let memory = Memory::new(4, true)?;
        let notifier = watch(memory.range(1..3))?;
        let before = notifier.read_begin();

        memory.unmap(0..1)?;
        memory.unmap(3..4)?;
        assert_eq!(notifier.told.counts(), (0, 0));
        assert!(!has_changed(before));
        Ok(())
    }

    #[test]
    fn nothing_is_told_after_the_drop() -> Result {
        let memory = Memory::new(2, true)?;
        let notifier = watch(memory.range(0..2))?;
        let told = notifier.told.clone();

        drop(notifier);
        memory.unmap(0..2)?;
        assert_eq!(told.counts(), (0, 0));
        // Its data is gone.
        assert!(Arc::into_unique_or_drop(told).is_some());
        Ok(())
    }

    #[test]
    fn notifier_keeps_the_module() -> Result {
        let memory = Memory::new(1, true)?;

        assert!(holds_references(1, || watch(memory.range(0..1)))?);
        Ok(())
    }

    #[test]
    fn empty_range_is_refused() -> Result {
        let memory = Memory::new(1, true)?;
        let page = memory.range(0..1);

        for range in [memory.range(0..0), page.end..page.start] {
            assert_eq!(watch(range.clone()).err(), Some(EOVERFLOW));
            assert!(holds_references(0, || Ok(watch(range.clone()).err()))?);
        }
        Ok(())
    }

    #[test]
    fn guard_of_another_lock_counts_as_a_change() -> Result {
        let memory = Memory::new(1, true)?;
        let notifier = watch(memory.range(0..1))?;
        let other = watch(memory.range(0..1))?;
        let before = notifier.read_begin();

        let has_changed_by_other = before.read_retry(&other.lock());
        assert!(has_changed_by_other);
        assert!(!has_changed(before));
        Ok(())
    }
}
