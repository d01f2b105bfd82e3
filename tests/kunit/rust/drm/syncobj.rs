// SPDX-License-Identifier: GPL-2.0

//! Synchronisation objects: what is in them, what comes, and for whom.

use core::num::NonZero;

use kernel::{
    drm,
    error::to_result,
    prelude::*,
    sync::aref::ARef,
    time::msecs_to_jiffies,
    types::Opaque, //
};

use crate::{
    rust::{
        bindings,
        dma_fence::{
            Fence,
            SignallingSection, //
        },
        drm::syncobj::{
            find_fence,
            OutSync,
            Syncobj, //
        }, //
    },
    tests::{
        fake::FakeFile,
        rust::dma_fence::fence, //
    }, //
};

fn at(point: u64) -> Option<NonZero<u64>> {
    NonZero::new(point)
}

fn is(fence: Option<ARef<Fence>>, other: &Fence) -> bool {
    fence.is_some_and(|fence| fence.as_raw() == other.as_raw())
}

/// An open file, as far as its handles go, with one syncobj.
struct OwnFile {
    raw: Pin<KBox<Opaque<bindings::drm_file>>>,
    syncobj: ARef<Syncobj>,
    handle: u32,
}

impl OwnFile {
    fn new() -> Result<Self> {
        // A file is too large for the stack.
        let raw = KBox::<Opaque<bindings::drm_file>>::new_uninit(GFP_KERNEL)?;
        // SAFETY: An `Opaque` may have any content.
        let raw = KBox::into_pin(unsafe { raw.assume_init() });
        let syncobj = Syncobj::new(None)?;
        let mut handle = 0;

        // SAFETY: The memory is valid, and zeroes are what a table of handles is made from.
        unsafe {
            raw.get().write_bytes(0, 1);
            bindings::xa_init_flags(&raw mut (*raw.get()).syncobj_xa, bindings::XA_FLAGS_ALLOC1);
        }
        // SAFETY: The table is initialised and the syncobj valid; its handle takes a reference.
        to_result(unsafe {
            bindings::drm_syncobj_get_handle(raw.get(), syncobj.as_raw(), &mut handle)
        })?;

        Ok(Self {
            raw,
            syncobj,
            handle,
        })
    }

    fn file(&self) -> &drm::File<FakeFile> {
        // SAFETY: Nothing but its table of syncobjs is used.
        unsafe { &*self.raw.get().cast() }
    }
}

impl Drop for OwnFile {
    fn drop(&mut self) {
        // SAFETY: This gives up the handle's reference, which is not looked up any more.
        unsafe {
            bindings::rgt_drm_syncobj_put(self.syncobj.as_raw());
            bindings::xa_destroy(&raw mut (*self.raw.get()).syncobj_xa);
        }
    }
}

#[kunit_tests(rgt_syncobj)]
mod tests {
    use super::*;

    #[test]
    fn new_one_has_what_it_is_given() -> Result {
        let (fence, pending) = fence()?;

        assert!(Syncobj::new(None)?.fence().is_none());
        assert!(is(Syncobj::new(Some(&fence))?.fence(), &fence));
        pending.signal(Ok(()));
        Ok(())
    }

    #[test]
    fn fence_is_replaced() -> Result {
        let (first, first_pending) = fence()?;
        let (second, second_pending) = fence()?;
        let syncobj = Syncobj::new(Some(&first))?;

        syncobj.replace_fence(Some(&second));
        assert!(is(syncobj.fence(), &second));
        syncobj.replace_fence(None);
        assert!(syncobj.fence().is_none());
        first_pending.signal(Ok(()));
        second_pending.signal(Ok(()));
        Ok(())
    }

    #[test]
    fn handle_is_looked_up() -> Result {
        let file = OwnFile::new()?;
        let found = Syncobj::find(file.file(), file.handle)?;

        assert_eq!(found.as_raw(), file.syncobj.as_raw());
        assert_eq!(Syncobj::find(file.file(), 0).err(), Some(ENOENT));
        assert_eq!(
            Syncobj::find(file.file(), file.handle + 1).err(),
            Some(ENOENT)
        );
        assert_eq!(
            OutSync::find(file.file(), file.handle + 1, 1).err(),
            Some(ENOENT)
        );
        assert_eq!(
            find_fence(file.file(), file.handle + 1, 0).err(),
            Some(ENOENT)
        );
        Ok(())
    }

    #[test]
    fn binary_fence_is_found_when_it_is_there() -> Result {
        let file = OwnFile::new()?;
        let (fence, pending) = fence()?;
        let out = OutSync::find(file.file(), file.handle, 0)?;

        assert_eq!(find_fence(file.file(), file.handle, 0).err(), Some(EINVAL));
        out.set(&fence);
        assert!(is(find_fence(file.file(), file.handle, 0).ok(), &fence));
        pending.signal(Ok(()));
        Ok(())
    }

    #[test]
    fn timeline_has_its_points() -> Result {
        let file = OwnFile::new()?;
        let (first, first_pending) = fence()?;
        let (second, second_pending) = fence()?;
        let first_out = OutSync::find(file.file(), file.handle, 3)?;
        let second_out = OutSync::find(file.file(), file.handle, 5)?;
        let find = |point| find_fence(file.file(), file.handle, point);

        {
            let _section = SignallingSection::begin();
            first_out.set(&first);
            second_out.set(&second);
        }
        // A point without a fence of its own is reached with the next one.
        let (third, fifth) = (find(2)?, find(4)?);
        assert_eq!(find(6).err(), Some(EINVAL));

        assert!(!third.is_signaled());
        first_pending.signal(Ok(()));
        third.wait(false, msecs_to_jiffies(5000))?;
        assert!(!fifth.is_signaled());
        second_pending.signal(Ok(()));
        fifth.wait(false, msecs_to_jiffies(5000))?;
        // A point that is reached is found as a signalled fence.
        assert!(find(3)?.is_signaled());
        Ok(())
    }

    #[test]
    fn timeline_is_reached_in_order() -> Result {
        let syncobj = Syncobj::new(None)?;
        let (first, first_pending) = fence()?;
        let (second, second_pending) = fence()?;

        OutSync::new(syncobj.clone(), at(1))?.set(&first);
        OutSync::new(syncobj.clone(), at(2))?.set(&second);
        let last = syncobj.fence().ok_or(EINVAL)?;

        second_pending.signal(Ok(()));
        assert!(!last.is_signaled());
        first_pending.signal(Ok(()));
        last.wait(false, msecs_to_jiffies(5000))
    }

    #[test]
    fn dropped_place_leaves_the_syncobj() -> Result {
        let (fence, pending) = fence()?;
        let syncobj = Syncobj::new(Some(&fence))?;

        drop(OutSync::new(syncobj.clone(), None)?);
        drop(OutSync::new(syncobj.clone(), at(7))?);
        assert!(is(syncobj.fence(), &fence));
        pending.signal(Ok(()));
        Ok(())
    }
}
