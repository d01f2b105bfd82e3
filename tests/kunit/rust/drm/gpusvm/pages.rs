// SPDX-License-Identifier: GPL-2.0

//! Pages of a process that a device uses.

use core::ops::Range;

use kernel::{
    current,
    module::this_module,
    page::PAGE_SIZE,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
    time::{
        delay::fsleep,
        ClockSource,
        Delta,
        Instant,
        Monotonic, //
    }, //
};

use crate::{
    rust::{
        drm::gpusvm::{
            GpuSvm,
            MappedPages,
            MappedPagesGuard,
            UserPages,
            UserPagesOps, //
        },
        module::DropGuarantee, //
    },
    tests::rust::{
        drm::ttm::fake::{
            Fixture,
            TtmDriver, //
        },
        mm::{
            undisturbed,
            Memory, //
        }, //
    },
    LocalModule, //
};

/// The most pages that the device maps.
const LIMIT: usize = 8;

/// A device that uses pages.
struct Gpu {
    svm: Arc<GpuSvm>,
    mapped: Arc<MappedPages>,
    binding: Option<MappedPagesGuard>,
    fixture: Fixture,
}

impl Gpu {
    fn new() -> Result<Self> {
        let fixture = Fixture::new()?;
        let mapped = MappedPages::new(this_module::<LocalModule>(), LIMIT * PAGE_SIZE)?;
        // SAFETY: The tests drop it.
        let guarantee = unsafe { DropGuarantee::new() };

        Ok(Self {
            svm: Arc::pin_init(GpuSvm::new(c"rgt-kunit"), GFP_KERNEL)?,
            binding: Some(MappedPagesGuard::new(guarantee, &fixture.drm, &mapped)?),
            mapped,
            fixture,
        })
    }

    /// Returns pages of the current process.
    fn pages(&self, range: Range<usize>, write: bool) -> Result<Pin<KBox<UserPages<Calls>>>> {
        let task = current!();
        let mm = task.mm().ok_or(EFAULT)?;
        let calls = Calls {
            stale: Atomic::new(0),
            waited: Atomic::new(0),
            unmapped: Atomic::new(0),
        };

        KBox::pin_init(
            UserPages::new(
                &self.svm,
                &self.mapped,
                &self.fixture.drm,
                mm,
                range,
                write,
                calls,
            ),
            GFP_KERNEL,
        )
    }

    fn is_current(&self, pages: &UserPages<Calls>) -> bool {
        pages.is_current(&self.svm.read())
    }

    /// Fetches pages, and returns what [`mapped()`] says while they are current.
    fn fetch(&self, pages: &UserPages<Calls>) -> Result<Option<(u64, bool)>> {
        undisturbed(|| {
            pages.fetch(Instant::now())?;
            let mapped = mapped(pages);
            self.is_current(pages).then_some(mapped).ok_or(EBUSY)
        })
    }
}

/// Counts calls, each only if it comes behind the one before.
struct Calls {
    stale: Atomic<i32>,
    waited: Atomic<i32>,
    unmapped: Atomic<i32>,
}

impl UserPagesOps for Calls {
    type Driver = TtmDriver;

    fn stale(&self) {
        self.stale.fetch_add(1, Relaxed);
    }

    fn wait_unused(&self) {
        self.waited.store(self.stale.load(Relaxed), Relaxed);
    }

    fn unmap(&self) {
        self.unmapped.store(self.waited.load(Relaxed), Relaxed);
    }
}

/// Returns the bytes that have addresses, and whether the device may write them.
fn mapped(pages: &UserPages<Calls>) -> Option<(u64, bool)> {
    pages.with_addresses(|addresses| {
        let bytes = addresses.runs().map(|(bytes, _)| bytes.end - bytes.start);
        (bytes.sum(), addresses.is_writable())
    })
}

/// Returns a time at which the patience with changing pages that begins there is at its end.
fn long_ago() -> Instant<Monotonic> {
    const AGE: Delta = Delta::from_secs(20);
    // The clock starts with the kernel, and has no time before that.
    let missing = AGE - Delta::from_nanos(Monotonic::ktime_get());

    if !missing.is_negative() {
        fsleep(missing);
    }
    Instant::now() - AGE
}

#[kunit_tests(rgt_gpusvm_pages)]
mod tests {
    use super::*;

    #[test]
    fn fetched_pages_are_current_until_they_change() -> Result {
        let gpu = Gpu::new()?;
        let memory = Memory::new(4, true)?;
        let pages = gpu.pages(memory.range(0..4), true)?;

        assert!(!gpu.is_current(&pages));
        assert_eq!(mapped(&pages), None);

        let (before, mapped_bytes, seemed_current) = undisturbed(|| {
            let before = pages.unmapped.load(Relaxed);
            pages.fetch(Instant::now())?;
            let (bytes, seems_current) = (mapped(&pages), pages.seems_current());
            // The fetch itself is no change.
            if !gpu.is_current(&pages) || pages.unmapped.load(Relaxed) != before {
                return Err(EBUSY);
            }
            Ok((before, bytes, seems_current))
        })?;
        assert!(seemed_current);
        assert_eq!(mapped_bytes, Some((4 * PAGE_SIZE as u64, true)));

        memory.unmap(1..2)?;
        assert!(!gpu.is_current(&pages));
        assert!(!pages.seems_current());
        assert_eq!(mapped(&pages), None);
        assert!(pages.unmapped.load(Relaxed) > before);
        assert_eq!(pages.fetch(Instant::now()), Err(EFAULT));
        Ok(())
    }

    #[test]
    fn patience_is_for_changes_only() -> Result {
        let gpu = Gpu::new()?;
        let memory = Memory::new(4, true)?;
        let pages = gpu.pages(memory.range(0..4), true)?;
        let since = long_ago();

        assert!(!gpu.is_current(&pages));
        assert_eq!(undisturbed(|| pages.fetch(since)), Ok(()));
        Ok(())
    }

    #[test]
    fn device_writes_no_read_only_memory() -> Result {
        let gpu = Gpu::new()?;
        let memory = Memory::new(2, false)?;
        let pages = gpu.pages(memory.range(0..2), true)?;

        let mapped = gpu.fetch(&pages)?;
        assert_eq!(mapped, Some((2 * PAGE_SIZE as u64, false)));
        Ok(())
    }

    #[test]
    fn nothing_is_current_for_an_unbound_device() -> Result {
        let mut gpu = Gpu::new()?;
        let memory = Memory::new(2, true)?;
        let pages = gpu.pages(memory.range(0..2), true)?;

        assert!(gpu.fetch(&pages)?.is_some());

        gpu.binding = None;
        assert!(!gpu.is_current(&pages));
        assert_eq!(mapped(&pages), None);
        assert_eq!(pages.fetch(Instant::now()), Err(ENODEV));
        assert!(!gpu.is_current(&pages));
        assert_eq!(gpu.pages(memory.range(0..1), true).err(), Some(ENODEV));
        Ok(())
    }

    #[test]
    fn guard_of_another_lock_says_nothing() -> Result {
        let (gpu, other) = (Gpu::new()?, Gpu::new()?);
        let memory = Memory::new(1, true)?;
        let pages = gpu.pages(memory.range(0..1), true)?;

        let is_current_by_other = undisturbed(|| {
            pages.fetch(Instant::now())?;
            let is_current_by_other = other.is_current(&pages);
            // That is not because they have changed.
            gpu.is_current(&pages)
                .then_some(is_current_by_other)
                .ok_or(EBUSY)
        })?;
        assert!(!is_current_by_other);
        Ok(())
    }

    #[test]
    fn what_cannot_be_mapped_is_refused() -> Result {
        let (mut gpu, other) = (Gpu::new()?, Gpu::new()?);
        let memory = Memory::new(LIMIT + 1, true)?;
        let page = memory.range(0..1);

        for range in [
            page.start..page.start,
            page.end..page.start,
            page.start + 1..page.end,
            page.start..page.end - 1,
        ] {
            assert_eq!(gpu.pages(range, true).err(), Some(EINVAL));
        }

        let first = gpu.pages(memory.range(0..LIMIT), true)?;
        assert_eq!(gpu.pages(page.clone(), true).err(), Some(ENOMEM));
        drop(first);
        let first = gpu.pages(page.clone(), true)?;
        let too_many = memory.range(1..LIMIT + 1);
        assert_eq!(gpu.pages(too_many, true).err(), Some(ENOMEM));
        drop(first);

        // The pages of another device's.
        gpu.mapped = other.mapped.clone();
        assert_eq!(gpu.pages(page, true).err(), Some(EINVAL));
        Ok(())
    }
}
