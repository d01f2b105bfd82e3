// SPDX-License-Identifier: GPL-2.0

//! Exporter and importer: the one against an importer that moves, pins and refuses, the other
//! against an exporter that does.

use kernel::{
    dma::DmaAddress,
    drm,
    new_mutex,
    page::PAGE_SIZE,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        Mutex, //
    }, //
};

use super::{
    fake::{
        make_busy,
        mem_type,
        validate,
        Backing,
        Bo,
        Fixture,
        TtmDriver,
        SYSTEM,
        TT,
        VRAM, //
    }, //
};
use crate::{
    rust::{
        dma_buf::{
            DmaBuf,
            DynamicAttachment,
            Importer, //
        },
        dma_fence::Fence,
        dma_resv::{
            LockedResv,
            Usage, //
        },
        drm::ttm::{
            MemType,
            OperationCtx,
            Placement, //
        }, //
    },
    tests::{
        rust::dma_fence::fence,
        wait::soon, //
    }, //
};

pub(super) const PAGES: usize = 4;

/// An importer that counts how often it is told that the memory moves.
#[pin_data]
pub(super) struct Mock {
    told: Atomic<i32>,
    /// Fences that it adds when it is told.
    #[pin]
    fences: Mutex<KVec<ARef<Fence>>>,
}

impl Importer for Mock {
    fn invalidate(&self, locked: LockedResv<'_>) {
        self.told.fetch_add(1, Relaxed);
        for fence in &*self.fences.lock() {
            if let Ok([slot]) = locked.reserve_fences() {
                slot.add(fence, Usage::Bookkeep);
            }
        }
    }
}

impl Mock {
    pub(super) fn new() -> Result<Arc<Self>> {
        Self::with_fences(KVec::new())
    }

    fn with_fences(fences: KVec<ARef<Fence>>) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                told: Atomic::new(0),
                fences <- new_mutex!(fences, "Mock::fences"),
            }),
            GFP_KERNEL,
        )
    }

    pub(super) fn told(&self) -> i32 {
        self.told.load(Relaxed)
    }
}

/// Registers a device: only such a one shares.
pub(super) fn register(
    drm: drm::UnregisteredDevice<TtmDriver>,
    backing: &Backing,
) -> Result<drm::Registration<'_, TtmDriver>> {
    // SAFETY: It is not forgotten.
    unsafe { drm::Registration::new(backing.bound(), drm, Ok::<_, Error>(()), 0) }
}

/// Maps a buffer, and returns the address of each page.
pub(super) fn map(
    attachment: &mut DynamicAttachment<'_, Mock>,
    bo: &Bo,
) -> Result<KVec<DmaAddress>> {
    let mut pages = KVec::from_elem(0, PAGES, GFP_KERNEL)?;
    let mut guard = bo.resv().lock()?;
    let mut locked = guard.locked_resv();

    attachment.map(&mut locked)?.pages(&mut pages)?;
    Ok(pages)
}

/// The addresses of a BO's pages, if it has any.
fn addresses(bo: &Bo) -> Result<Option<KVec<DmaAddress>>> {
    let guard = bo.reserve(false)?;
    let Some(pages) = guard.tt().and_then(|tt| tt.dma_addresses()) else {
        return Ok(None);
    };
    let mut copy = KVec::new();

    copy.extend_from_slice(pages, GFP_KERNEL)?;
    Ok(Some(copy))
}

#[kunit_tests(rgt_bo_dma_buf)]
mod tests {
    use super::*;

    #[test]
    fn an_importer_gets_pages() -> Result {
        let (drm, backing) = Fixture::new()?.split();
        let (_, other) = Fixture::new()?.split();
        let registration = register(drm, &backing)?;
        let bo = backing.bo_in(registration.device(), VRAM, PAGES)?;
        let buf = bo.export_dma_buf()?;
        assert_eq!(buf.size(), PAGES * PAGE_SIZE);

        let mut attachment = DynamicAttachment::new(&buf, other.bound(), Mock::new()?)?;
        assert!(!attachment.is_peer_to_peer());
        let theirs = map(&mut attachment, &bo)?;
        assert_eq!(mem_type(&bo)?, Some(MemType::TT));
        // Without an IOMMU all devices have the same addresses.
        assert!(addresses(&bo)?.is_some_and(|ours| ours[..] == theirs[..]));
        Ok(())
    }

    #[test]
    fn an_importer_is_told_before_a_move() -> Result {
        let (drm, backing) = Fixture::new()?.split();
        let (_, other) = Fixture::new()?.split();
        let registration = register(drm, &backing)?;
        let bo = backing.bo_in(registration.device(), TT, PAGES)?;
        let buf = bo.export_dma_buf()?;
        let mut attachment = DynamicAttachment::new(&buf, other.bound(), Mock::new()?)?;

        map(&mut attachment, &bo)?;
        assert_eq!(attachment.importer().told(), 0);
        validate(&bo, &[TT])?;
        assert_eq!(attachment.importer().told(), 0);
        validate(&bo, &[VRAM])?;
        assert_eq!(attachment.importer().told(), 1);
        map(&mut attachment, &bo)?;
        assert_eq!(mem_type(&bo)?, Some(MemType::TT));
        Ok(())
    }

    #[test]
    fn validation_without_waiting_is_busy() -> Result {
        let (drm, backing) = Fixture::new()?.split();
        let (_, other) = Fixture::new()?.split();
        let registration = register(drm, &backing)?;
        let bo = backing.bo_in(registration.device(), TT, PAGES)?;
        let buf = bo.export_dma_buf()?;
        let attachment = DynamicAttachment::new(&buf, other.bound(), Mock::new()?)?;
        let (_, pending) = make_busy(buf.resv())?;

        {
            let mut guard = bo.reserve(false)?;
            let mut reserved = guard.reserved();
            let done = reserved.validate(&Placement::new(&[VRAM]), &mut OperationCtx::no_wait());
            assert_eq!(done, Err(EBUSY));
        }
        assert_eq!(attachment.importer().told(), 0);
        pending.signal(Ok(()));
        Ok(())
    }

    #[test]
    fn a_pinned_bo_stays() -> Result {
        let (drm, backing) = Fixture::new()?.split();
        let (_, other) = Fixture::new()?.split();
        let registration = register(drm, &backing)?;
        let bo = backing.bo_in(registration.device(), VRAM, PAGES)?;
        let buf = bo.export_dma_buf()?;
        let mut attachment = DynamicAttachment::new(&buf, other.bound(), Mock::new()?)?;

        {
            let mut guard = buf.resv().lock()?;
            let mut locked = guard.locked_resv();
            attachment.pin(&mut locked)?;
            attachment.pin(&mut locked)?;
            attachment.unpin(&mut locked)?;
        }
        assert_eq!(mem_type(&bo)?, Some(MemType::TT));
        assert_eq!(validate(&bo, &[VRAM]), Err(EINVAL));
        map(&mut attachment, &bo)?;
        // Nor does it lose its pages.
        let before = addresses(&bo)?.ok_or(EINVAL)?;
        assert_eq!(validate(&bo, &[]), Err(EINVAL));
        {
            let mut guard = bo.reserve(false)?;
            let purged = guard.reserved().purge(&mut OperationCtx::no_wait());
            assert_eq!(purged, Err(EBUSY));
        }
        assert!(addresses(&bo)?.is_some_and(|now| now[..] == before[..]));
        {
            let mut guard = buf.resv().lock()?;
            let mut locked = guard.locked_resv();
            attachment.unpin(&mut locked)?;
            assert_eq!(attachment.unpin(&mut locked), Err(EINVAL));
        }
        validate(&bo, &[VRAM])
    }

    #[test]
    fn an_importer_can_be_refused() -> Result {
        let (drm, backing) = Fixture::new()?.split();
        let (_, other) = Fixture::new()?.split();
        let registration = register(drm, &backing)?;
        let bo = backing.bo_in(registration.device(), TT, PAGES)?;
        let buf = bo.export_dma_buf()?;
        bo.broken.store(true, Relaxed);
        let refused = DynamicAttachment::new(&buf, other.bound(), Mock::new()?);
        assert!(matches!(refused, Err(EOPNOTSUPP)));
        assert!(matches!(bo.export_dma_buf(), Err(EBUSY)));

        bo.broken.store(false, Relaxed);
        // A BO of a device that is gone cannot be shared.
        drop(registration);
        let refused = DynamicAttachment::new(&buf, other.bound(), Mock::new()?);
        assert!(matches!(refused, Err(ENODEV)));
        Ok(())
    }

    #[test]
    fn a_foreign_lock_is_none() -> Result {
        let (drm, backing) = Fixture::new()?.split();
        let (_, other) = Fixture::new()?.split();
        let registration = register(drm, &backing)?;
        let bo = backing.bo_in(registration.device(), TT, PAGES)?;
        let stranger = backing.bo_in(registration.device(), TT, PAGES)?;
        let buf = bo.export_dma_buf()?;
        let mut attachment = DynamicAttachment::new(&buf, other.bound(), Mock::new()?)?;

        let mut guard = stranger.resv().lock()?;
        let mut locked = guard.locked_resv();
        assert!(matches!(attachment.map(&mut locked), Err(EINVAL)));
        assert_eq!(attachment.pin(&mut locked), Err(EINVAL));
        assert_eq!(buf.invalidate_mappings(&mut locked), Err(EINVAL));
        assert!(!buf.is_attached(&locked));
        Ok(())
    }

    #[test]
    fn an_import_follows_its_exporter() -> Result {
        let (drm, backing) = Fixture::new()?.split();
        let (other_drm, other) = Fixture::new()?.split();
        let registration = register(drm, &backing)?;
        let other_registration = register(other_drm, &other)?;
        let bo = backing.bo_in(registration.device(), VRAM, PAGES)?;
        let buf: ARef<DmaBuf> = bo.export_dma_buf()?;
        let import = Bo::import(
            other_registration.device(),
            &buf,
            Ok::<_, Error>(other.data()),
        )?;
        assert_eq!(import.resv().as_raw(), bo.resv().as_raw());
        assert!(addresses(&import)?.is_none());

        validate(&import, &[TT])?;
        assert_eq!(mem_type(&bo)?, Some(MemType::TT));
        let ours = addresses(&bo)?.ok_or(EINVAL)?;
        assert!(addresses(&import)?.is_some_and(|theirs| theirs[..] == ours[..]));
        assert_eq!(import.invalidated.load(Relaxed), 0);

        // It is mapped anew after a move of the other, and not where its device does not see it.
        validate(&bo, &[VRAM])?;
        assert_eq!(import.invalidated.load(Relaxed), 1);
        assert!(addresses(&import)?.is_none());
        validate(&import, &[TT])?;
        assert!(addresses(&import)?.is_some());
        validate(&import, &[SYSTEM])?;
        assert_eq!(import.invalidated.load(Relaxed), 2);
        assert!(addresses(&import)?.is_none());
        Ok(())
    }

    #[test]
    fn its_own_buffer_is_no_import() -> Result {
        let (drm, backing) = Fixture::new()?.split();
        let (other_drm, other) = Fixture::new()?.split();
        let registration = register(drm, &backing)?;
        let other_registration = register(other_drm, &other)?;
        let bo = backing.bo_in(registration.device(), TT, PAGES)?;
        let buf = bo.export_dma_buf()?;

        let found = Bo::of_dma_buf(registration.device(), &buf);
        assert!(found.is_some_and(|found| core::ptr::eq(&*found, &*bo)));
        assert!(Bo::of_dma_buf(other_registration.device(), &buf).is_none());
        Ok(())
    }

    #[test]
    fn importers_may_use_up_the_room_for_fences() -> Result {
        let (drm, backing) = Fixture::new()?.split();
        let (_, other) = Fixture::new()?.split();
        let registration = register(drm, &backing)?;

        // Some number of fences fills the room that C reserves.
        for count in 1..20 {
            let mut fences = KVec::new();
            let mut pending = KVec::new();
            for _ in 0..count {
                let (fence, end) = fence()?;
                fences.push(fence, GFP_KERNEL)?;
                pending.push(end, GFP_KERNEL)?;
            }
            let (fence, end) = fence()?;
            let data = backing.data().behind(fence);
            let bo = backing.bo_with(registration.device(), TT, PAGES, data)?;
            let buf = bo.export_dma_buf()?;
            let importer = Mock::with_fences(fences)?;
            let _attachment = DynamicAttachment::new(&buf, other.bound(), importer)?;

            validate(&bo, &[SYSTEM])?;
            assert!(!bo.resv().test_signaled(Usage::Kernel));
            end.signal(Ok(()));
        }
        Ok(())
    }

    #[test]
    fn a_buffer_that_is_being_released_is_not_had_again() -> Result {
        let (drm, backing) = Fixture::new()?.split();
        let registration = register(drm, &backing)?;
        let bo = backing.bo_in(registration.device(), TT, PAGES)?;
        let buf = bo.export_dma_buf()?;

        {
            let guard = bo.reserve(false)?;

            assert!(guard.exported().is_some());
            // The release, in another task, waits for the reservation.
            drop(buf);
            assert!(guard.exported().is_none());
        }
        assert!(soon(|| bo.export_dma_buf().is_ok()));
        Ok(())
    }

    #[test]
    fn a_busy_import_that_is_emptied_comes_back() -> Result {
        let (drm, backing) = Fixture::new()?.split();
        let (other_drm, other) = Fixture::new()?.split();
        let registration = register(drm, &backing)?;
        let other_registration = register(other_drm, &other)?;
        let bo = backing.bo_in(registration.device(), TT, PAGES)?;
        let buf = bo.export_dma_buf()?;
        let data = Ok::<_, Error>(other.data());
        let import = Bo::import(other_registration.device(), &buf, data)?;
        validate(&import, &[TT])?;
        let before = addresses(&import)?.ok_or(EINVAL)?;

        let (_, pending) = make_busy(import.resv())?;
        validate(&import, &[])?;
        assert!(addresses(&import)?.is_none());
        pending.signal(Ok(()));
        validate(&import, &[TT])?;
        assert!(addresses(&import)?.is_some_and(|now| now[..] == before[..]));
        Ok(())
    }
}
