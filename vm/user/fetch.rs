// SPDX-License-Identifier: GPL-2.0

//! Fetching of the pages of a VM's ranges, for jobs.

use core::ops::Range;

use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Relaxed, //
        },
        Arc, //
    },
    time::{
        msecs_to_jiffies,
        Instant,
        Jiffies,
        Monotonic, //
    }, //
};

use super::range::{
    UserRange,
    UserRanges, //
};
use crate::{
    hw::{
        Space,
        Tables, //
    },
    rust::{
        alloc::LazyVec,
        drm::gpusvm::ReadGuard, //
    },
    vm::{
        data::Vm,
        rebind::keep_one_each, //
    }, //
};

/// How long is waited for binds that may unmap a range that is gone.
const PATIENCE_MS: u32 = 10_000;

/// What a job has seen of the ranges of its VM.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum PagesSeen {
    /// There are none.
    None,
    /// The pages of one have changed, and were not fetched.
    Stale,
    /// All were current when so many changes had begun.
    Current(u64),
}

/// Holds the lock under which pages change, after a look at all of them: they stay where jobs reach
/// them until it is dropped, and for as long as the fence of a job is on the VM's reservation that was
/// put there until then.
///
/// Nothing is allocated meanwhile.
#[must_use]
pub(crate) struct StablePages<'a> {
    _lock: Option<ReadGuard<'a>>,
}

impl UserRanges {
    /// Returns the ranges whose pages are to be fetched.
    fn stale(&self) -> Result<LazyVec<Arc<UserRange>>> {
        let mut stale = LazyVec::new();

        if self.settled.load(Relaxed) == self.changes.load(Relaxed) {
            return Ok(stale);
        }
        let list = self.list.lock();
        for range in list.iter().filter(|range| range.is_stale()) {
            stale.push(range.clone(), GFP_KERNEL_ACCOUNT)?;
        }
        Ok(stale)
    }

    /// Returns the ranges that a rebind has to map, and what was seen of all.
    ///
    /// To be called with the VM's reservation held.
    pub(in crate::vm) fn unwritten(
        &self,
        space: &Space,
    ) -> Result<(LazyVec<Unwritten>, PagesSeen)> {
        let mut unwritten = LazyVec::new();

        if !self.is_used.load(Relaxed) {
            return Ok((unwritten, PagesSeen::None));
        }
        // First: what changes from here on is seen by `stable_pages()`.
        let changes = self.changes.load(Acquire);
        if self.settled.load(Relaxed) == changes {
            return Ok((unwritten, PagesSeen::Current(changes)));
        }
        let list = self.list.lock();
        for range in list.iter().filter(|range| range.is_mapped()) {
            if range.is_stale() {
                return Ok((LazyVec::new(), PagesSeen::Stale));
            }
            if let Some(range) = Unwritten::new(range, space)? {
                unwritten.push(range, GFP_KERNEL_ACCOUNT)?;
            }
        }
        if unwritten.is_empty() {
            self.settled.store(changes, Relaxed);
        }
        Ok((unwritten, PagesSeen::Current(changes)))
    }
}

/// A range that a rebind has to map.
pub(in crate::vm) struct Unwritten {
    /// The range.
    pub(in crate::vm) range: Arc<UserRange>,
    /// The page tables that it takes at most.
    pub(in crate::vm) tables: Tables,
    /// For [`UserRange::set_rebound()`].
    pub(in crate::vm) revoked: u32,
}

impl Unwritten {
    /// Returns a range if a rebind has to map it.
    ///
    /// To be called with the VM's reservation held.
    pub(in crate::vm) fn new(range: &Arc<UserRange>, space: &Space) -> Result<Option<Self>> {
        let Some(revoked) = range.unwritten() else {
            return Ok(None);
        };
        let mut tables = space.tables();
        tables.add_for_pages(&range.va)?;
        Ok(Some(Self {
            range: range.clone(),
            tables,
            revoked,
        }))
    }
}

/// Returns the guard for a job of a VM that is about to be submitted. [`None`] if memory of a process may
/// not be where the job reaches it, as it has `seen`: the job has to begin anew.
pub(crate) fn stable_pages(vm: &Vm, seen: PagesSeen) -> Option<StablePages<'_>> {
    let user = &vm.user;

    match seen {
        PagesSeen::None => Some(StablePages { _lock: None }),
        PagesSeen::Stale => None,
        PagesSeen::Current(changes) => {
            let lock = user.svm.read();
            (user.changes.load(Relaxed) == changes).then_some(StablePages { _lock: Some(lock) })
        }
    }
}

/// Fetches the pages of all ranges of a VM that are stale. To be called without any reservation, before
/// what is bound is validated, and anew when [`stable_pages()`] gives none: `since` is when that was done
/// first.
///
/// The errors of [`fetch()`].
pub(crate) fn fetch_stale(vm: &Vm, since: Instant<Monotonic>) -> Result {
    vm.user
        .stale()?
        .iter()
        .try_for_each(|range| fetch(vm, range, since))
}

/// Fetches the pages of the ranges that are mapped at addresses, where they are stale, and returns the
/// ranges. To be called without any reservation.
///
/// The errors of [`fetch()`].
pub(in crate::vm) fn prefetch(vm: &Vm, va: &Range<u64>) -> Result<KVVec<Arc<UserRange>>> {
    if !vm.has_user_pages() {
        return Ok(KVVec::new());
    }
    let mut ranges = vm.find_in(va, |mapping| {
        mapping
            .data()
            .user
            .as_ref()
            .map(|user| user.range().clone())
    })?;

    keep_one_each(&mut ranges, |range| &**range);
    let since = Instant::now();
    ranges
        .iter()
        .filter(|range| range.is_stale())
        .try_for_each(|range| fetch(vm, range, since))?;
    Ok(ranges)
}

/// Fetches the pages of a range.
///
/// `EFAULT` where the process has no memory any more, and no bind is about to unmap the range; the
/// other errors of [`UserPages::fetch()`].
///
/// [`UserPages::fetch()`]: crate::rust::drm::gpusvm::UserPages::fetch
fn fetch(vm: &Vm, range: &UserRange, since: Instant<Monotonic>) -> Result {
    match range.pages()?.fetch(since) {
        Err(EFAULT) => {
            let patience: Jiffies = msecs_to_jiffies(PATIENCE_MS);
            vm.wait_for_binds(patience)?;
            if range.is_mapped() {
                return Err(EFAULT);
            }
            Ok(())
        }
        done => done,
    }
}
