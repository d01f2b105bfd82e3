// SPDX-License-Identifier: GPL-2.0

//! Notifiers of changes of a process's pages, and the pages.

use core::{
    ops::Range,
    ptr, //
};

use kernel::{
    current,
    error::to_result,
    module::this_module,
    new_mutex,
    page::PAGE_SIZE,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        Mutex,
        MutexGuard, //
    },
    time::{
        msecs_to_jiffies,
        Jiffies, //
    }, //
};

use crate::{
    rust::{
        bindings,
        mm::{
            hmm::{
                HmmPfn,
                HmmRange, //
            },
            interval_notifier::{
                IntervalNotifier,
                IntervalOps,
                Sequence, //
            }, //
        }, //
    },
    LocalModule, //
};

// Declared as in `helpers.h`. Functions marked `safe` take no pointers.
unsafe extern "C" {
    safe fn rgt_test_module_refcount() -> c_int;
    fn rgt_test_mmap(test: *mut bindings::kunit, size: usize, write: bool) -> usize;
}

/// Pages of a process that only the thread of the test has, and which ends with it.
pub(in crate::tests) struct Memory(usize);

impl Memory {
    /// Maps so many pages, which are not there yet.
    pub(in crate::tests) fn new(pages: usize, write: bool) -> Result<Self> {
        // SAFETY: The functions may be called by the thread of a test, which is running.
        let address = unsafe {
            let test = bindings::kunit_get_current_test();
            rgt_test_mmap(test, pages * PAGE_SIZE, write)
        };

        if address == 0 || address % PAGE_SIZE != 0 {
            return Err(ENOMEM);
        }
        Ok(Self(address))
    }

    /// Returns the addresses of pages.
    pub(in crate::tests) fn range(&self, pages: Range<usize>) -> Range<usize> {
        self.0 + pages.start * PAGE_SIZE..self.0 + pages.end * PAGE_SIZE
    }

    pub(in crate::tests) fn unmap(&self, pages: Range<usize>) -> Result {
        let range = self.range(pages);

        // SAFETY: Nothing but tests of the pages themselves uses them.
        to_result(unsafe { bindings::vm_munmap(range.start, range.len()) })
    }
}

/// What a notifier has told of.
struct Told {
    begun: Atomic<usize>,
    /// Counts only what has just begun, and with the lock free.
    invalidated: Atomic<usize>,
}

impl Told {
    fn counts(&self) -> (usize, usize) {
        (self.begun.load(Relaxed), self.invalidated.load(Relaxed))
    }
}

/// Counts changes.
#[pin_data]
struct Watch {
    #[pin]
    lock: Mutex<()>,
    told: Arc<Told>,
}

impl IntervalOps for Watch {
    type Guard<'a> = MutexGuard<'a, ()>;
    type ReadGuard<'a> = MutexGuard<'a, ()>;

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.lock.lock()
    }

    fn is_locked_by(&self, guard: &MutexGuard<'_, ()>) -> bool {
        ptr::eq(guard.lock_ref(), &self.lock)
    }

    fn begin(&self, _: &mut MutexGuard<'_, ()>) {
        self.told.begun.fetch_add(1, Relaxed);
    }

    fn invalidate(&self) {
        let (begun, invalidated) = self.told.counts();

        if begun == invalidated + 1 && self.lock.try_lock().is_some() {
            self.told.invalidated.fetch_add(1, Relaxed);
        }
    }
}

type Notifier = IntervalNotifier<Watch>;

/// Watches addresses of the current process.
fn watch(range: Range<usize>) -> Result<Pin<KBox<Notifier>>> {
    let told = Arc::new(
        Told {
            begun: Atomic::new(0),
            invalidated: Atomic::new(0),
        },
        GFP_KERNEL,
    )?;
    let task = current!();
    let mm = task.mm().ok_or(EFAULT)?;
    let watch = try_pin_init!(Watch {
        lock <- new_mutex!((), "Watch::lock"),
        told,
    });

    KBox::pin_init(
        Notifier::new(this_module::<LocalModule>(), mm, range, watch),
        GFP_KERNEL,
    )
}

fn has_changed(since: Sequence<'_, Watch>) -> bool {
    since.read_retry(&since.notifier().lock())
}

/// Faults pages in.
fn fault(notifier: &Notifier, range: Range<usize>, write: bool) -> Result<HmmRange<'_, Watch>> {
    let patience: Jiffies = msecs_to_jiffies(10_000);

    HmmRange::fault(notifier, range, write, patience)
}

/// Returns so many pages, as they are shown with the lock held.
fn shown<const N: usize>(found: &HmmRange<'_, Watch>) -> Option<[HmmPfn; N]> {
    let sequence = found.sequence();
    let guard = sequence.notifier().lock();
    let pages = found.pages(&guard)?;

    pages.try_into().ok()
}

#[kunit_tests(rgt_mm)]
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
        let idle = rgt_test_module_refcount();
        let notifier = watch(memory.range(0..1))?;
        let used = rgt_test_module_refcount();

        drop(notifier);
        // There is no count if the module cannot be unloaded.
        assert!(used == idle + 1 || idle < 0);
        assert_eq!(rgt_test_module_refcount(), idle);
        Ok(())
    }

    #[test]
    fn empty_range_is_refused() -> Result {
        let memory = Memory::new(1, true)?;
        let idle = rgt_test_module_refcount();

        assert_eq!(watch(memory.range(0..0)).err(), Some(EOVERFLOW));
        let page = memory.range(0..1);
        assert_eq!(watch(page.end..page.start).err(), Some(EOVERFLOW));
        assert_eq!(rgt_test_module_refcount(), idle);
        Ok(())
    }

    #[test]
    fn guard_of_another_lock_counts_as_a_change() -> Result {
        let memory = Memory::new(1, true)?;
        let notifier = watch(memory.range(0..1))?;
        let other = watch(memory.range(0..1))?;
        let found = fault(&notifier, memory.range(0..1), true)?;

        let guard = other.lock();
        let (has_changed, is_shown) = (
            found.sequence().read_retry(&guard),
            found.pages(&guard).is_some(),
        );
        drop(guard);
        assert!(has_changed);
        assert!(!is_shown);
        assert!(shown::<1>(&found).is_some());
        Ok(())
    }

    #[test]
    fn missing_pages_are_faulted_in() -> Result {
        let memory = Memory::new(3, true)?;
        let notifier = watch(memory.range(0..3))?;
        let missing = HmmRange::snapshot(notifier.read_begin(), memory.range(0..3))?;

        let pages = shown::<3>(&missing).ok_or(EBUSY)?;
        assert!(pages.iter().all(|page| page.pfn().is_none()));
        assert!(!pages.iter().any(|page| page.is_valid() || page.is_error()));

        let found = fault(&notifier, memory.range(0..3), true)?;
        let pages = shown::<3>(&found).ok_or(EBUSY)?;
        assert!(pages.iter().all(|page| page.is_valid()));
        assert!(pages.iter().all(|page| page.is_writable()));
        assert!(pages.iter().all(|page| page.map_order() == 0));
        assert!(pages[0].pfn() != pages[1].pfn());
        assert!(pages[1].pfn() != pages[2].pfn());
        assert!(pages[0].pfn() != pages[2].pfn());

        // They are there now.
        let again = HmmRange::snapshot(found.sequence(), memory.range(1..3))?;
        assert!(shown::<2>(&again).ok_or(EBUSY)? == pages[1..]);
        Ok(())
    }

    #[test]
    fn changed_pages_are_not_shown() -> Result {
        let memory = Memory::new(2, true)?;
        let notifier = watch(memory.range(0..2))?;
        let found = fault(&notifier, memory.range(0..2), true)?;

        assert!(shown::<2>(&found).is_some());
        memory.unmap(0..1)?;
        assert!(shown::<2>(&found).is_none());
        let late = HmmRange::snapshot(found.sequence(), memory.range(0..2));
        assert_eq!(late.err(), Some(EBUSY));
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
        let found = fault(&notifier, memory.range(0..2), false)?;
        let pages = shown::<2>(&found).ok_or(EBUSY)?;
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
        let found = HmmRange::snapshot(notifier.read_begin(), memory.range(0..3))?;
        let pages = shown::<3>(&found).ok_or(EBUSY)?;
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
