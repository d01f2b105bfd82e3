// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Buffer objects that other devices use.
//!
//! An importer with peer access gets the exporter's device-local memory, others get system pages.
//! For importers that do not follow moves the BO is pinned there.
//!
//! C header: [`include/linux/dma-buf.h`](srctree/include/linux/dma-buf.h)

use core::{
    ops::Range,
    ptr::{
        self,
        NonNull, //
    }, //
};

use kernel::{
    device::{
        Bound,
        Device, //
    },
    dma::DataDirection,
    io::PhysAddr,
    page::{
        PAGE_SHIFT,
        PAGE_SIZE, //
    },
    prelude::*,
    sync::aref::ARef,
    time::Jiffies, //
};

use super::{
    bo::Fields,
    Bo,
    Driver,
    DriverBo,
    OperationCtx,
    PeerAccess,
    Pinned,
    Reserved,
    Resource,
    Sharing,
    Vmap, //
};
use crate::rust::{
    bindings,
    dma_buf::{
        Attachment,
        DmaBuf,
        MappedSg, //
    },
    dma_resv::{
        LockedResv,
        Usage, //
    },
    drm::{
        device,
        prime::{
            self,
            Exporter, //
        }, //
    }, //
};

impl PeerAccess {
    fn of(attachment: &Attachment) -> Self {
        if attachment.is_peer_to_peer() {
            Self::Allowed
        } else {
            Self::None
        }
    }
}

impl<T: DriverBo> Bo<T> {
    /// Calls `f` with the bound device of the BO; `ENODEV` if there is none any more.
    fn with_bound<R>(&self, f: impl FnOnce(&Device<Bound>) -> Result<R>) -> Result<R> {
        let _registered = device::enter(self.device()).ok_or(ENODEV)?;

        // SAFETY: The parent of a registered device is bound, and the guard keeps it so. `Device`
        // is transparent over `struct device`.
        f(unsafe { &*(*device::raw(self.device())).dev.cast() })
    }

    /// Calls `f` when the BO, which is this, has been moved to pages. Unplugging the device does not
    /// wait for the move.
    fn with_pages<R>(
        &self,
        bo: &mut Reserved<'_, T>,
        f: impl FnOnce(&mut Reserved<'_, T>) -> Result<R>,
    ) -> Result<R> {
        self.with_bound(|_| bo.move_to_pages())?;
        self.resv().wait(Usage::Kernel, true, Jiffies::MAX)?;
        self.with_bound(|_| f(bo))
    }

    /// Exports the BO if the driver lets it.
    ///
    /// # Safety
    ///
    /// Only for GEM, as `drm_gem_object_funcs::export` of a `Bo<T>`.
    pub(super) unsafe extern "C" fn export_callback(
        obj: *mut bindings::drm_gem_object,
        flags: c_int,
    ) -> *mut bindings::dma_buf {
        // SAFETY: GEM calls this with a valid object, which is never a ghost.
        let this = unsafe { &*obj.cast::<Self>() };

        this.export(flags)
            .map_or_else(|err| err.to_ptr(), NonNull::as_ptr)
    }

    /// Exports the BO as a buffer for other parts of the kernel, which user space may write, too,
    /// when it gets a file of it. `EBUSY` while there is one.
    ///
    /// C: `drm_gem_prime_export()`.
    pub fn export_dma_buf(&self) -> Result<ARef<DmaBuf>> {
        let buf = self.export(bindings::O_RDWR as c_int)?;

        // SAFETY: It was made above, with a reference for us; `DmaBuf` is transparent.
        Ok(unsafe { ARef::from_raw(buf.cast()) })
    }

    /// Exports the BO as a buffer. `EBUSY` while there is one: DRM remembers it.
    fn export(&self, flags: c_int) -> Result<NonNull<bindings::dma_buf>> {
        let guard = self.reserve(true)?;
        if guard.has_exported() || self.is_imported() {
            return Err(EBUSY);
        }
        self.may_export()?;
        // SAFETY: The BO is valid and begins with its GEM object.
        let buf = unsafe { prime::export::<Self>(self.as_raw().cast(), flags) }?;
        // SAFETY: The reservation is held.
        unsafe { *Fields::exported(self) = buf.as_ptr() };
        guard.release_unused();
        Ok(buf)
    }

    /// Maps the BO into the kernel's address space, where it is pinned meanwhile.
    ///
    /// # Safety
    ///
    /// Only for GEM, as `drm_gem_object_funcs::vmap` of a `Bo<T>`.
    pub(super) unsafe extern "C" fn vmap_callback(
        obj: *mut bindings::drm_gem_object,
        map: *mut bindings::iosys_map,
    ) -> c_int {
        // SAFETY: GEM calls this with a valid object, whose reservation it holds; no other proof
        // of that is in use.
        let (this, mut bo) = unsafe {
            let this = &*obj.cast::<Self>();
            (this, Reserved::new(this))
        };
        if bo.is_imported() {
            return EOPNOTSUPP.to_errno();
        }
        match this.with_pages(&mut bo, |bo| bo.vmap(true)) {
            Ok(mapped) => {
                // SAFETY: GEM wants the mapping there.
                unsafe { *map = mapped.into_c() };
                0
            }
            Err(err) => err.to_errno(),
        }
    }

    /// Ends the use of the BO by importers and, of an imported BO, by this device, which does no
    /// DMA any more. It cannot be mapped anew. Pages that are pinned stay.
    ///
    /// Waits for importers as `dma_buf_invalidate_mappings()` asks: for their fences, then for them
    /// to unmap.
    pub(super) fn leave_device(&self) {
        // Without a ticket and without signals this does not fail.
        let Ok(mut guard) = self.reserve(false) else {
            return;
        };
        let mut bo = guard.reserved();

        // It is the BO's reservation, and may be waited for.
        if bo.invalidate_shared(None).unwrap_or(false) {
            // Not interruptible, and without a timeout it does not fail.
            let _ = self.resv().wait(Usage::Bookkeep, false, Jiffies::MAX);
        }
        bo.unmap_import();
        // SAFETY: The BO is reserved.
        unsafe { bindings::rgt_ttm_bo_unmap_pinned(self.as_raw()) };
        let movable = bo.pin_count() == 0;
        guard.release_unused();
        self.wait_unmapped(movable);
    }

    /// Undoes [`Self::vmap_callback()`].
    ///
    /// # Safety
    ///
    /// Only for GEM, as `drm_gem_object_funcs::vunmap` of a `Bo<T>`.
    pub(super) unsafe extern "C" fn vunmap_callback(
        obj: *mut bindings::drm_gem_object,
        map: *mut bindings::iosys_map,
    ) {
        // SAFETY: GEM calls this with a valid object, whose reservation it holds, and what
        // `vmap_callback()` returned.
        unsafe { Vmap::undo(&*obj.cast::<Self>(), &mut *map) };
    }
}

impl<T: DriverBo> Reserved<'_, T> {
    /// Returns the buffer that the BO was exported as, unless its last reference is gone.
    pub fn exported(&self) -> Option<ARef<DmaBuf>> {
        // SAFETY: The reservation is held. `released()`, which takes it, clears the pointer before
        // the buffer goes.
        unsafe {
            let buf = *Fields::exported(self.bo());
            if buf.is_null() {
                return None;
            }
            DmaBuf::get_unless_zero(buf)
        }
    }

    /// Returns whether the BO has an exported buffer, even one that is being released.
    fn has_exported(&self) -> bool {
        // SAFETY: The reservation is held.
        !unsafe { *Fields::exported(self.bo()) }.is_null()
    }

    /// Returns whether the BO is shared with devices that access system pages only.
    pub fn is_shared_as_pages(&mut self) -> bool {
        let bo = self.bo();
        let locked = self.locked_resv();
        // SAFETY: As in `exported()`; the reservation is held by `locked`.
        let buf = unsafe { *Fields::exported(bo) };

        // SAFETY: As above.
        !buf.is_null() && !unsafe { DmaBuf::from_raw(buf) }.is_peer_to_peer(&locked)
    }

    /// Invalidates the mappings of importers before the BO moves. Returns whether there are
    /// importers.
    ///
    /// Their jobs that have begun have fences on the reservation. `EBUSY` if there are such jobs
    /// and `ctx` does not allow waits: importers may have to.
    pub(super) fn invalidate_shared(&mut self, ctx: Option<&mut OperationCtx>) -> Result<bool> {
        let bo = self.bo();
        let mut locked = self.locked_resv();
        // SAFETY: As in `exported()`; the reservation is held by `locked`.
        let buf = unsafe { *Fields::exported(bo) };
        if buf.is_null() {
            return Ok(false);
        }
        // SAFETY: As above.
        let buf = unsafe { DmaBuf::from_raw(buf) };
        if !buf.is_attached(&locked) {
            return Ok(false);
        }

        if ctx.is_some_and(|ctx| !ctx.may_wait()) && !bo.resv().test_signaled(Usage::Bookkeep) {
            return Err(EBUSY);
        }
        buf.invalidate_mappings(&mut locked)?;
        Ok(true)
    }

    /// Brings the BO to system pages, unless it is pinned there.
    fn move_to_pages(&mut self) -> Result {
        if self.pin_count() == 0 {
            let mut ctx = OperationCtx::new(true);
            T::Driver::prepare_share(self, PeerAccess::None, &mut ctx)?;
        }
        if !self.resource().is_some_and(|res| res.uses_tt()) {
            return Err(EINVAL);
        }
        Ok(())
    }

    /// Maps the BO where it is.
    fn map_shared<'a>(
        &self,
        attachment: &'a Attachment,
        exporter: &Device<Bound>,
        dir: DataDirection,
    ) -> Result<MappedSg<'a>> {
        let res = self.resource().ok_or(EINVAL)?;
        if res.uses_tt() {
            let tt = self.tt().ok_or(EINVAL)?;
            tt.dma_addresses().ok_or(EINVAL)?;
            // SAFETY: The pages are populated. Before they go the BO moves, which tells importers
            // and waits for their fences, unless it is pinned.
            return unsafe {
                let (pages, count) = tt.pages();
                MappedSg::of_pages(attachment, pages, count, dir)
            };
        }

        let bar = T::Driver::PEER_BAR
            .filter(|_| attachment.is_peer_to_peer())
            .ok_or(EOPNOTSUPP)?;
        let ranges = io_ranges::<T::Driver>(res)?;
        // SAFETY: As above; the reservation is held. `leave_device()` has importers unmap it before
        // the device is unbound, and only those get it that do so in bounded time.
        unsafe { MappedSg::of_peer(attachment, exporter, bar, &ranges, dir) }
    }
}

/// Returns the CPU's addresses of a resource's extents. `EOPNOTSUPP` if it does not see all.
fn io_ranges<D: Driver>(res: &Resource) -> Result<KVVec<Range<PhysAddr>>> {
    let pages = res.size() >> PAGE_SHIFT;
    let mut ranges = KVVec::<Range<PhysAddr>>::new();
    let mut page = 0;

    while page < pages {
        let run = D::io_mem_run(res, page).ok_or(EOPNOTSUPP)?;
        let count = run.pages().min(pages - page);
        ranges.push(
            run.addr()..run.addr() + (count * PAGE_SIZE) as PhysAddr,
            GFP_KERNEL,
        )?;
        page += count;
    }
    Ok(ranges)
}

impl<T: DriverBo> Exporter for Bo<T> {
    fn attach(&self, attachment: &mut Attachment) -> Result {
        self.with_bound(|dev| {
            if T::Driver::PEER_BAR.is_none() || !attachment.is_revocable() {
                attachment.refuse_peer_to_peer();
            }
            attachment.limit_to_peers_of(dev);
            T::Driver::may_share(self, PeerAccess::of(attachment))
        })
    }

    fn pin(&self, _locked: LockedResv<'_>, _attachment: &Attachment) -> Result {
        // SAFETY: The reservation is held, and the proof of it not used any more.
        let mut bo = unsafe { Reserved::new(self) };

        self.with_pages(&mut bo, |bo| {
            bo.pin(true)?.into_c();
            Ok(())
        })
    }

    fn unpin(&self, _locked: LockedResv<'_>) {
        // SAFETY: The reservation is held, and there is a pin of `pin()`.
        unsafe { Pinned::from_c(self).unpin() };
    }

    fn map<'a>(
        &self,
        _locked: LockedResv<'_>,
        attachment: &'a Attachment,
        dir: DataDirection,
    ) -> Result<MappedSg<'a>> {
        self.with_bound(|dev| {
            // SAFETY: The reservation is held, and the proof of it not used any more.
            let mut bo = unsafe { Reserved::new(self) };
            if bo.pin_count() == 0 {
                let mut ctx = OperationCtx::new(true);
                T::Driver::prepare_share(&mut bo, PeerAccess::of(attachment), &mut ctx)?;
            }
            let mapped = bo.map_shared(attachment, dev, dir)?;
            self.count_mapping(&mapped);
            Ok(mapped)
        })
    }

    fn unmap(&self, _locked: LockedResv<'_>, mapped: MappedSg<'_>) {
        self.unmap_counted(mapped);
    }

    fn begin_cpu_access(&self, _dir: DataDirection) -> Result {
        self.with_bound(|_| {
            let mut guard = self.reserve(true)?;
            let mut ctx = OperationCtx::new(true);
            match T::Driver::prepare_fault(&mut guard.reserved(), &mut ctx) {
                // There may be when the CPU comes.
                Err(ENOSPC | ENOMEM) => Ok(()),
                done => done,
            }
        })
    }

    fn released(&self) {
        // Without a ticket and without signals this does not fail.
        if let Ok(guard) = self.reserve(false) {
            // SAFETY: The reservation is held.
            unsafe { *Fields::exported(self) = ptr::null_mut() };
            guard.release_unused();
        }
    }
}
