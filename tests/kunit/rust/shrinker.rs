// SPDX-License-Identifier: GPL-2.0

//! Shrinkers.

use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    }, //
};

use crate::rust::{
    bindings,
    module::DropGuarantee,
    shrinker::{
        Count,
        Registration,
        Scan,
        ShrinkControl,
        Shrinker, //
    }, //
};

/// C's SHRINK_STOP and SHRINK_EMPTY.
const STOP: usize = !0;
const EMPTY: usize = !0 - 1;

/// A cache that is only numbers.
struct Cache {
    objects: Atomic<usize>,
    _alive: Arc<()>,
}

impl Shrinker for Cache {
    fn count(&self, control: &ShrinkControl) -> Count {
        match self.objects.load(Relaxed) {
            _ if !control.may_enter_fs() => Count::Skip,
            0 => Count::Empty,
            objects => Count::Objects(objects),
        }
    }

    fn scan(&self, control: &mut ShrinkControl) -> Scan {
        let objects = self.objects.load(Relaxed);
        if objects == 0 || !control.may_start_io() {
            return Scan::Stop;
        }

        let freed = objects.min(control.to_scan());
        self.objects.store(objects - freed, Relaxed);
        control.set_scanned(freed + 1);
        Scan::Freed(freed)
    }
}

/// Returns the answers that memory management would get.
fn call(cache: &Registration<Cache>, gfp_mask: u32, nr_to_scan: usize) -> (usize, usize, usize) {
    let shrinker = cache.as_raw();
    let mut control = bindings::shrink_control {
        gfp_mask,
        nr_to_scan,
        ..pin_init::zeroed()
    };

    // SAFETY: The shrinker is registered, and `control` lives through the calls.
    unsafe {
        let count = (*shrinker).count_objects.map(|f| f(shrinker, &mut control));
        let scan = (*shrinker).scan_objects.map(|f| f(shrinker, &mut control));
        (count.unwrap_or(0), scan.unwrap_or(0), control.nr_scanned)
    }
}

fn cache(objects: usize) -> Result<(Registration<Cache>, Arc<()>)> {
    let alive = Arc::new((), GFP_KERNEL)?;
    let cache = Cache {
        objects: Atomic::new(objects),
        _alive: alive.clone(),
    };

    // SAFETY: The tests drop it.
    let guarantee = unsafe { DropGuarantee::new() };

    Ok((Registration::new(guarantee, c"rgt-kunit", cache)?, alive))
}

#[kunit_tests(rgt_shrinker)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_scans() -> Result {
        let (cache, _) = cache(10)?;
        let kernel = bindings::GFP_KERNEL;

        assert_eq!(call(&cache, kernel, 4), (10, 4, 5));
        assert_eq!(call(&cache, kernel, 100), (6, 6, 7));
        assert_eq!(call(&cache, kernel, 100).0, EMPTY);
        assert_eq!(call(&cache, kernel, 100).1, STOP);
        assert_eq!(cache.data().objects.load(Relaxed), 0);
        Ok(())
    }

    #[test]
    fn sees_what_the_allocation_allows() -> Result {
        let (cache, _) = cache(10)?;

        assert_eq!(call(&cache, bindings::GFP_NOWAIT, 4), (0, STOP, 0));
        assert_eq!(cache.data().objects.load(Relaxed), 10);
        Ok(())
    }

    #[test]
    fn numbers_are_not_taken_for_answers() -> Result {
        let (cache, _) = cache(usize::MAX)?;
        let (count, freed, _) = call(&cache, bindings::GFP_KERNEL, usize::MAX - 1);

        assert_eq!((count, freed), (EMPTY - 1, EMPTY - 1));
        Ok(())
    }

    #[test]
    fn data_goes_with_the_registration() -> Result {
        let (cache, alive) = cache(1)?;

        assert!(Arc::into_unique_or_drop(alive.clone()).is_none());
        drop(cache);
        assert!(Arc::into_unique_or_drop(alive).is_some());
        Ok(())
    }
}
