// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Creating and destroying buffer objects.
//!
//! C header: [`include/drm/ttm/ttm_bo.h`](srctree/include/drm/ttm/ttm_bo.h)

use core::{
    cell::UnsafeCell,
    ptr::{
        self,
        NonNull, //
    }, //
};

use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    drm,
    error::to_result,
    page::PAGE_SIZE,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            AtomicFlag,
            Relaxed, //
        }, //
    },
    types::Opaque, //
};

use super::{
    bo::Fields,
    fault,
    mappings::Mappings,
    Bo,
    BoInit,
    Device,
    DriverBo,
    OperationCtx,
    Placement,
    ReserveGuard,
    Reserved, //
};
use crate::rust::{
    bindings,
    dma_buf::DmaBuf,
    dma_resv::LockedResv,
    drm::{
        device::{
            self,
            KeptDevice, //
        },
        gem::SharedResv, //
    },
    unpatched::ttm_object::Layout, //
};

impl<T: DriverBo> Bo<T> {
    const FUNCS: bindings::drm_gem_object_funcs = bindings::drm_gem_object_funcs {
        free: Some(Self::free_callback),
        open: Some(Self::open_callback),
        close: Some(Self::close_callback),
        export: Some(Self::export_callback),
        print_info: Some(bindings::drm_gem_ttm_print_info),
        mmap: Some(Self::mmap_callback),
        vmap: Some(Self::vmap_callback),
        vunmap: Some(Self::vunmap_callback),
        vm_ops: const { &fault::vm_ops::<T>() },
        ..pin_init::zeroed()
    };

    /// Creates a buffer object without backing.
    ///
    /// It gets its backing from the first [`Reserved::validate()`]. `EINVAL` for a size or an
    /// alignment that is not as [`BoInit`] says, and when what is locked is not the reservation to
    /// share.
    pub fn new(
        dev: &drm::Device<T::Driver>,
        init: BoInit<'_>,
        data: impl PinInit<T, Error>,
    ) -> Result<ARef<Self>> {
        Self::new_of_type(dev, init, bindings::ttm_bo_type_ttm_bo_type_device, data)
    }

    /// Creates a buffer object with a reservation of its own, which is held until the object has
    /// backing in `placement`.
    ///
    /// `size` and `alignment_pages` are as in [`BoInit`], with `EINVAL` if they are not, and other
    /// errors as those of [`Reserved::validate()`]. With an error there is no object.
    ///
    /// Where a reservation is shared, [`Self::new()`] and a validation do the same: others cannot
    /// reserve it in between.
    ///
    /// C: `ttm_bo_init_validate()`.
    pub fn new_in(
        dev: &drm::Device<T::Driver>,
        size: usize,
        alignment_pages: u32,
        placement: &Placement<'_>,
        ctx: &mut OperationCtx,
        data: impl PinInit<T, Error>,
    ) -> Result<ARef<Self>> {
        let init = BoInit {
            size,
            alignment_pages,
            resv: None,
        };
        let bo_type = bindings::ttm_bo_type_ttm_bo_type_device;

        Self::init(dev, init, None, bo_type, Some((placement, ctx)), data)
    }

    /// Creates a buffer object as [`Self::new()`] does, of a C type.
    pub(super) fn new_of_type(
        dev: &drm::Device<T::Driver>,
        init: BoInit<'_>,
        bo_type: bindings::ttm_bo_type,
        data: impl PinInit<T, Error>,
    ) -> Result<ARef<Self>> {
        Self::init(dev, init, None, bo_type, None, data)
    }

    /// Creates a buffer object for the memory of a buffer whose reservation is locked, which
    /// becomes that of the object.
    pub(super) fn new_imported(
        dev: &drm::Device<T::Driver>,
        init: BoInit<'_>,
        import: (&DmaBuf, &LockedResv<'_>),
        data: impl PinInit<T, Error>,
    ) -> Result<ARef<Self>> {
        let bo_type = bindings::ttm_bo_type_ttm_bo_type_sg;

        Self::init(dev, init, Some(import), bo_type, None, data)
    }

    /// `backing` is for a BO with a reservation of its own only.
    fn init(
        dev: &drm::Device<T::Driver>,
        init: BoInit<'_>,
        import: Option<(&DmaBuf, &LockedResv<'_>)>,
        bo_type: bindings::ttm_bo_type,
        backing: Option<(&Placement<'_>, &mut OperationCtx)>,
        data: impl PinInit<T, Error>,
    ) -> Result<ARef<Self>> {
        let () = Layout::<Fields<T>>::SAME_AS_OBJECT;
        let bdev = Device::of(dev).ready()?;
        let aligned = init.alignment_pages == 0 || init.alignment_pages.is_power_of_two();
        if init.size == 0 || init.size % PAGE_SIZE != 0 || !aligned {
            return Err(EINVAL);
        }
        let (shared, imported, resv) = match (init.resv, import) {
            (Some((object, locked)), None) if object.resv().as_raw() == locked.as_raw() => {
                // SAFETY: The BO has it until it is destroyed, for which the device's release waits
                // before its `drm_device` goes.
                (
                    Some(unsafe { SharedResv::new(object) }),
                    None,
                    locked.as_raw(),
                )
            }
            (None, Some((buf, locked))) if buf.resv().as_raw() == locked.as_raw() => {
                (None, Some(buf.into()), locked.as_raw())
            }
            (None, None) => (None, None, ptr::null_mut()),
            _ => return Err(EINVAL),
        };

        let object = KBox::try_pin_init(
            try_pin_init!(Layout::<Fields<T>> {
                bo: Opaque::zeroed(),
                fields <- try_pin_init!(Fields {
                    link: Opaque::zeroed(),
                    exported: Opaque::new(ptr::null_mut()),
                    bulk: UnsafeCell::new(None),
                    mappings: Mappings::new(),
                    deleted_local: AtomicFlag::new(false),
                    shared,
                    imported,
                    data <- data,
                }? Error),
            }? Error),
            GFP_KERNEL_ACCOUNT,
        )?;
        // SAFETY: C treats BOs as pinned; `destroy()` drops it in place.
        let bo = KBox::into_raw(unsafe { Pin::into_inner_unchecked(object) })
            .cast::<bindings::ttm_buffer_object>();

        // SAFETY: `bo` points to a zeroed BO that is not published; `dev` is valid.
        unsafe {
            bindings::INIT_LIST_HEAD((*bo.cast::<Layout<Fields<T>>>()).fields.link.get());
            (*bo).base.funcs = const { &Self::FUNCS };
            bindings::drm_gem_private_object_init(device::raw(dev), &mut (*bo).base, init.size);
        }

        let mut ctx = OperationCtx::new(true);
        // SAFETY: `bdev` is initialised, `bo` was prepared above, and `resv` is NULL or locked, and
        // the BO keeps it from here on. An empty placement makes no move, hence no callback into
        // the driver but for the `ttm_tt`. On failure C has called `destroy()`.
        to_result(unsafe {
            bindings::ttm_bo_init_reserved(
                bdev,
                bo,
                bo_type,
                Placement::new(&[]).as_raw(),
                init.alignment_pages,
                ctx.as_raw(),
                ptr::null_mut(),
                resv,
                Some(Self::destroy),
            )
        })?;
        // The first reference has one to the device. `free_callback()` gives it up with the last.
        // SAFETY: `dev` is valid.
        unsafe { bindings::drm_dev_get(device::raw(dev)) };
        // INVARIANT: It was made here.
        // SAFETY: `bo` is not NULL and the first reference is ours.
        let this = unsafe { ARef::<Self>::from_raw(NonNull::new_unchecked(bo.cast())) };
        // Dropped before `this`.
        // SAFETY: With its own reservation the BO comes back reserved.
        let own = resv
            .is_null()
            .then(|| unsafe { ReserveGuard::new(Reserved::new(&this)) });
        // SAFETY: It is new. `destroy()` takes it out, and has run for all BOs before the device
        // goes.
        unsafe { Device::of(dev).bos().add(Fields::link(&this)) };

        if let (Some(mut guard), Some((placement, ctx))) = (own, backing) {
            guard.reserved().validate(placement, ctx)?;
        }
        Ok(this)
    }

    /// Drops TTM's reference with the last one of GEM.
    ///
    /// # Safety
    ///
    /// Only for GEM, as `drm_gem_object_funcs::free` of a `Bo<T>`.
    unsafe extern "C" fn free_callback(obj: *mut bindings::drm_gem_object) {
        // SAFETY: The last GEM reference is gone, and with it goes that to the device which `init()`
        // took.
        unsafe { Self::release(obj.cast()) };
    }

    /// Frees the BO when TTM is done with it.
    ///
    /// # Safety
    ///
    /// Only for TTM, as `ttm_buffer_object::destroy` of a `Bo<T>`.
    unsafe extern "C" fn destroy(bo: *mut bindings::ttm_buffer_object) {
        // This may be a work that the release of the device waits for, and the data may have the
        // last reference.
        // SAFETY: TTM passes a BO of a device, which is valid.
        let _kept = unsafe { KeptDevice::new((*bo).base.dev) };
        // SAFETY: TTM passes a BO of a device of `T`'s driver, which outlives its BOs.
        let dev = unsafe { drm::Device::<T::Driver>::from_raw((*bo).base.dev) };
        // SAFETY: The BO is in the list or, if `Bo::new()` did not succeed, in none.
        unsafe {
            Device::of(dev)
                .bos()
                .remove((*bo.cast::<Layout<Fields<T>>>()).fields.link.get())
        };
        // SAFETY: `Bo::new()` made it, and no references are left. What it had mapped it lost with
        // its memory.
        let deleted_local = unsafe {
            let this = &*bo.cast::<Self>();
            let deleted_local = this.deleted_local().load(Relaxed);
            this.detach();
            bindings::drm_gem_object_release(&mut (*bo).base);
            drop(KBox::from_raw(bo.cast::<Layout<Fields<T>>>()));
            deleted_local
        };
        if deleted_local {
            Device::of(dev).deletions().end();
        }
    }
}
