// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Buffer objects whose memory is another device's.
//!
//! They are of TTM's type for scatter-gather tables, share the reservation of the buffer that they
//! import, and are mapped by its exporter: at their validation, if the memory has moved since the
//! last one. In between the BO has no memory, and the device's page tables no way to it.
//!
//! C header: [`include/linux/dma-buf.h`](srctree/include/linux/dma-buf.h)

use core::{
    ptr::{
        self,
        NonNull, //
    },
    slice, //
};

use kernel::{
    drm,
    page::PAGE_SIZE,
    prelude::*,
    sync::aref::ARef, //
};

use super::{
    released::LiveBo,
    Bo,
    BoInit,
    DriverBo,
    MemType,
    Move,
    OperationCtx,
    Reserved,
    Sharing, //
};
use crate::rust::{
    bindings,
    dma_buf::{
        Attachment,
        DmaBuf,
        Importer,
        Mapping,
        RawAttachment, //
    },
    dma_resv::LockedResv,
    drm::{
        device,
        prime,
        print::drm_dbg_prime, //
    }, //
};

impl<T: DriverBo> Bo<T> {
    /// Returns the BO that a buffer was exported from, if it is one of this device.
    pub fn of_dma_buf(dev: &drm::Device<T::Driver>, buf: &DmaBuf) -> Option<ARef<Self>> {
        let bo = prime::exported::<Self>(buf, device::raw(dev))?;

        // SAFETY: The buffer keeps the BO.
        Some(unsafe { bo.as_ref() }.into())
    }

    /// Imports a buffer of another device as a BO. The exporter may refuse that, by an error of its
    /// choice; `ENODEV` when the device is gone. `EOPNOTSUPP` when the device would see copies of
    /// system pages, which are not kept in step.
    ///
    /// C: `dma_buf_dynamic_attach()`.
    pub fn import(
        dev: &drm::Device<T::Driver>,
        buf: &DmaBuf,
        data: impl PinInit<T, Error>,
    ) -> Result<ARef<Self>> {
        let _registered = device::enter(dev).ok_or(ENODEV)?;
        if buf.size() == 0 || buf.size() % PAGE_SIZE != 0 {
            drm_dbg_prime!(dev, "fd: {} bytes, not a number of pages\n", buf.size());
            return Err(EINVAL);
        }

        let this = {
            let guard = buf.resv().lock_interruptible()?;
            let init = BoInit {
                size: buf.size(),
                alignment_pages: 0,
                resv: None,
            };
            Self::new_imported(dev, init, (buf, &guard), data)?
        };
        // SAFETY: The parent of a registered device is bound. The BO detaches before it goes, and
        // has a reference to the buffer until then.
        let attachment = unsafe {
            let parent = (*device::raw(dev)).dev;
            RawAttachment::new(buf, parent, ptr::from_ref(&*this))
        }?;

        let guard = this.reserve(false)?;
        // SAFETY: The reservation, which protects the field, is held. The attachment is valid, and
        // so is its device.
        let copies = unsafe {
            (*this.as_raw()).base.import_attach = attachment.as_raw();
            Attachment::from_raw(attachment.as_raw()).is_bounced()
        };
        guard.release_unused();
        // The exporter of the same driver may have the BO in device-local memory, and maps no pages
        // then.
        if copies && !prime::is_exported::<Self>(buf) {
            drm_dbg_prime!(dev, "fd: its pages would be copied for the device\n");
            return Err(EOPNOTSUPP);
        }
        Ok(this)
    }

    /// Maps an imported BO for the CPU as its exporter does.
    ///
    /// # Safety
    ///
    /// Only for GEM, as `drm_gem_object_funcs::mmap` of a `Bo<T>`.
    pub(super) unsafe extern "C" fn mmap_callback(
        obj: *mut bindings::drm_gem_object,
        vma: *mut bindings::vm_area_struct,
    ) -> c_int {
        // SAFETY: GEM calls this with a valid object, which is never a ghost.
        let this = unsafe { &*obj.cast::<Self>() };
        // SAFETY: Once it is set it does not change before the BO goes.
        let attachment = unsafe { this.attachment() };
        let Some(attachment) = attachment else {
            // SAFETY: The arguments are GEM's.
            return unsafe { bindings::drm_gem_ttm_mmap(obj, vma) };
        };

        // SAFETY: The VMA is being set up: what it would be for a BO of this device is not for the
        // exporter to find. GEM's reference goes if the exporter takes the mapping over.
        unsafe {
            (*vma).vm_private_data = ptr::null_mut();
            (*vma).vm_ops = ptr::null();
            let ret = bindings::dma_buf_mmap((*attachment.as_raw()).dmabuf, vma, 0);
            if ret == 0 {
                bindings::drm_gem_object_put(obj);
            }
            ret
        }
    }

    /// Returns the attachment of an imported BO.
    ///
    /// # Safety
    ///
    /// The reservation must be held, or the attachment must have been there before.
    unsafe fn attachment(&self) -> Option<RawAttachment> {
        // SAFETY: By the safety requirements; `import()` sets it.
        unsafe {
            NonNull::new((*self.as_raw()).base.import_attach)
                .map(|attach| RawAttachment::from_raw(attach))
        }
    }

    /// Returns whether the BO's memory is another device's.
    pub fn is_imported(&self) -> bool {
        // SAFETY: Valid by the type invariants; the field is constant.
        unsafe { (*self.as_raw()).type_ == bindings::ttm_bo_type_ttm_bo_type_sg }
    }

    /// Detaches the BO, which is about to be freed, from the exporter's buffer.
    ///
    /// # Safety
    ///
    /// Only for the last user of the BO, which has nothing mapped.
    pub(super) unsafe fn detach(&self) {
        // SAFETY: By the safety requirements.
        unsafe {
            if let Some(attachment) = self.attachment() {
                (*self.as_raw()).base.import_attach = ptr::null_mut();
                attachment.detach();
            }
        }
    }
}

impl<T: DriverBo> Importer for Bo<T> {
    const PEER_TO_PEER: bool = true;

    fn invalidate(&self, _locked: LockedResv<'_>) {
        // SAFETY: The reservation is held, and the proof of it not used any more.
        let mut bo = unsafe { Reserved::new(self) };
        if !bo.is_mapped() {
            return;
        }

        // Jobs that have begun may use it to their end. This waits for all of them, and does not
        // fail: it is not interruptible, and fences signal.
        while bo.wait_idle(&mut OperationCtx::new(false)).is_err() {}
        bo.unmap_import();
    }
}

impl<T: DriverBo> Reserved<'_, T> {
    /// Returns whether it is imported and its exporter's memory mapped.
    pub(super) fn is_mapped(&self) -> bool {
        // SAFETY: The reservation protects the field.
        !unsafe { (*self.bo().as_raw()).sg }.is_null()
    }

    /// Returns whether the BO has the addresses at which its exporter's memory is mapped.
    fn has_addresses(&self) -> bool {
        // SAFETY: The reservation protects the fields.
        unsafe {
            let tt = (*self.bo().as_raw()).ttm;
            self.is_mapped() && !tt.is_null() && !(*tt).sg.is_null()
        }
    }

    /// Maps the exporter's memory if it is not mapped.
    pub(super) fn map_import(&mut self) -> Result {
        let raw = self.bo().as_raw();
        let visible = self
            .resource()
            .is_some_and(|res| res.uses_tt() && res.mem_type() != MemType::SYSTEM);
        if !visible || self.has_addresses() {
            return Ok(());
        }
        let _registered = device::enter(self.bo().device()).ok_or(ENODEV)?;

        // SAFETY: The reservation is held. A BO in a place with pages has a `ttm_tt`, with an
        // address for each page, which is not read while nothing is mapped.
        unsafe {
            let attachment = self.bo().attachment().ok_or(ENODEV)?;
            let tt = (*raw).ttm;
            if tt.is_null() {
                return Err(EINVAL);
            }
            // A BO that lost its `ttm_tt` while jobs used it, see `ttm_bo_pipeline_gutting()`, is
            // still mapped.
            let sgt = if self.is_mapped() {
                (*raw).sg
            } else {
                attachment.map()?
            };
            let pages = slice::from_raw_parts_mut((*tt).dma_address, (*tt).num_pages as usize);
            if let Err(err) = Mapping::from_raw(sgt).pages(pages) {
                if !self.is_mapped() {
                    attachment.unmap(sgt);
                }
                return Err(err);
            }
            (*raw).sg = sgt;
            (*tt).sg = sgt;
        }
        Ok(())
    }

    /// Unmaps the memory of an imported BO that no job uses, after the driver has lost sight of
    /// it.
    pub(super) fn unmap_import(&mut self) {
        let raw = self.bo().as_raw();
        if !self.is_mapped() {
            return;
        }

        // One without references is mapped nowhere.
        // SAFETY: The memory is valid, and while the reservation is held by `self`, which is
        // borrowed, there is no other `Reserved`.
        if let Some(bo) = unsafe { LiveBo::new(self.bo()) } {
            // SAFETY: As above.
            T::Driver::invalidate_import(&mut unsafe { Reserved::new(&bo) });
        }
        // SAFETY: The reservation is held; what is mapped has an attachment and a `ttm_tt`.
        unsafe {
            if let Some(attachment) = self.bo().attachment() {
                attachment.unmap((*raw).sg);
            }
            (*raw).sg = ptr::null_mut();
            if !(*raw).ttm.is_null() {
                (*(*raw).ttm).sg = ptr::null_mut();
            }
        }
    }
}

/// Moves an imported BO: what backs it stays where it is, and is not mapped where the device does
/// not see it.
pub(super) fn move_imported<T: DriverBo>(mut mv: Move<'_, T>) -> Result {
    if mv.new_resource().mem_type() == MemType::SYSTEM && mv.bo().is_mapped() {
        mv.wait_idle()?;
        mv.unmap_import();
    }
    mv.null();
    Ok(())
}
