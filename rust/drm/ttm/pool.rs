// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Allocation of the system pages of buffer objects.
//!
//! TTM's pool, which the pages return to for the next that want the same caching. The pages of all
//! BOs are counted, for a shrinker.
//!
//! C header: [`include/drm/ttm/ttm_pool.h`](srctree/include/drm/ttm/ttm_pool.h)

use core::{
    cell::Cell,
    ptr, //
};

use kernel::{
    prelude::*,
    types::Opaque, //
};

use super::{
    Bo,
    Device,
    Driver,
    DriverBo,
    Reserved, //
};
use crate::rust::bindings;

/// A `ttm_tt` made by [`create()`].
///
/// # Invariants
///
/// The reservation of the BO that has it protects all of it.
#[repr(C)]
pub(super) struct TtObject<T: Driver> {
    tt: Opaque<bindings::ttm_tt>,
    /// Set when the pages count as purgeable.
    purgeable: Cell<bool>,
    data: T::TtData,
}

impl<T: Driver> TtObject<T> {
    /// # Safety
    ///
    /// `tt` must be made by [`create()`] of `T` and its BO reserved for `'a`.
    unsafe fn from_raw<'a>(tt: *mut bindings::ttm_tt) -> &'a Self {
        // SAFETY: `tt` is the first field of the `repr(C)` object.
        unsafe { &*tt.cast() }
    }

    fn is_populated(&self) -> bool {
        // SAFETY: Valid as long as the object is.
        unsafe { bindings::rgt_ttm_tt_is_populated(self.tt.get()) }
    }

    /// Returns whether the pages are another device's.
    fn is_imported(&self) -> bool {
        // SAFETY: As above.
        unsafe { bindings::rgt_ttm_tt_is_imported(self.tt.get()) }
    }

    fn pages(&self) -> u64 {
        // SAFETY: As above; the field is constant.
        unsafe { (*self.tt.get()).num_pages }.into()
    }
}

impl<T: DriverBo> Reserved<'_, T> {
    /// Returns the driver's data of the BO's system pages, if it is of a kind to have any where it
    /// is.
    pub fn tt_data(&self) -> Option<&<T::Driver as Driver>::TtData> {
        let tt = self.tt()?.as_raw();

        // SAFETY: `create()` makes the `ttm_tt` of all BOs of a device of the driver. The BO is
        // reserved, and its `ttm_tt` does not change while `self` is borrowed.
        Some(unsafe { &TtObject::<T::Driver>::from_raw(tt).data })
    }
}

/// Counts the pages of a `ttm_tt` that has got or lost them.
///
/// # Safety
///
/// `tt` must be made by [`create()`], its BO reserved and of `dev`.
pub(super) unsafe fn count_pages<T: Driver>(
    dev: &Device<T>,
    tt: *mut bindings::ttm_tt,
    populated: bool,
) {
    // SAFETY: By the safety requirements.
    let object = unsafe { TtObject::<T>::from_raw(tt) };
    if object.is_imported() {
        return;
    }
    dev.pages
        .count(object.pages(), populated, object.purgeable.get());
}

/// Sets whether the pages of a `ttm_tt` can be freed with their content.
///
/// # Safety
///
/// `tt` must be made by [`create()`], its BO reserved and of `dev`.
pub(super) unsafe fn set_purgeable<T: Driver>(
    dev: &Device<T>,
    tt: *mut bindings::ttm_tt,
    purgeable: bool,
) {
    // SAFETY: By the safety requirements.
    let object = unsafe { TtObject::<T>::from_raw(tt) };
    let populated = object.is_populated();
    if populated {
        dev.pages
            .count(object.pages(), false, object.purgeable.get());
    }
    object.purgeable.set(purgeable);
    if populated {
        dev.pages.count(object.pages(), true, purgeable);
    }
}

/// Creates the `ttm_tt` of a BO.
///
/// # Safety
///
/// Only for TTM, as `ttm_device_funcs::ttm_tt_create` of a device of `T`.
pub(super) unsafe extern "C" fn create<T: Driver>(
    raw: *mut bindings::ttm_buffer_object,
    page_flags: u32,
) -> *mut bindings::ttm_tt {
    // SAFETY: TTM calls this with a valid, reserved BO of a device of `T`.
    let Some(bo) = (unsafe { Bo::<T::Bo>::from_raw(raw) }) else {
        return ptr::null_mut();
    };
    let object = T::tt_data(bo).and_then(|data| {
        let object = TtObject::<T> {
            tt: Opaque::zeroed(),
            purgeable: Cell::new(false),
            data,
        };
        KBox::new(object, GFP_KERNEL)
    });
    let Ok(object) = object else {
        return ptr::null_mut();
    };
    let tt = KBox::into_raw(object).cast::<bindings::ttm_tt>();

    // SAFETY: `tt` is zeroed and `raw` valid. With the addresses of the pages, unlike
    // `ttm_tt_init()`.
    let ret = unsafe { bindings::ttm_sg_tt_init(tt, raw, page_flags, T::caching(bo) as u32) };
    if ret != 0 {
        // SAFETY: It was made above, and C leaves nothing in it on failure.
        drop(unsafe { KBox::from_raw(tt.cast::<TtObject<T>>()) });
        return ptr::null_mut();
    }
    // C takes over what the BO has mapped, whose addresses are not there yet.
    // SAFETY: It was initialised above.
    unsafe { (*tt).sg = ptr::null_mut() };
    if !Device::<T>::of(bo.device()).uses_dma_alloc() {
        // The driver's shrinker backs up a `ttm_tt` with an array of pages, so TTM must not swap it
        // out. Coherent memory cannot be backed up: it is left to TTM.
        // SAFETY: It was initialised above.
        unsafe { bindings::rgt_ttm_tt_set_own_backup(tt) };
    }

    tt
}

/// Frees what [`create()`] made.
///
/// # Safety
///
/// Only for TTM, as `ttm_device_funcs::ttm_tt_destroy` of a device of `T`.
pub(super) unsafe extern "C" fn destroy<T: Driver>(
    _: *mut bindings::ttm_device,
    tt: *mut bindings::ttm_tt,
) {
    // SAFETY: `create()` made it, and TTM is done with it.
    unsafe {
        bindings::ttm_tt_fini(tt);
        drop(KBox::from_raw(tt.cast::<TtObject<T>>()));
    }
}

/// Populates the pages, with the content that was backed up if any was.
///
/// # Safety
///
/// Only for TTM, as `ttm_device_funcs::ttm_tt_populate` of a device of `T`.
pub(super) unsafe extern "C" fn populate<T: Driver>(
    bdev: *mut bindings::ttm_device,
    tt: *mut bindings::ttm_tt,
    ctx: *mut bindings::ttm_operation_ctx,
) -> c_int {
    // SAFETY: TTM calls this with a `ttm_tt` that `create()` made, without pages.
    let ret = unsafe { bindings::rgt_ttm_tt_populate(bdev, tt, ctx) };
    if ret == 0 {
        // SAFETY: As above; `bdev` is that of a device of `T`, and the BO is reserved.
        unsafe { count_pages::<T>(Device::from_raw(bdev), tt, true) };
    }
    ret
}

/// Frees pages.
///
/// # Safety
///
/// Only for TTM, as `ttm_device_funcs::ttm_tt_unpopulate` of a device of `T`.
pub(super) unsafe extern "C" fn unpopulate<T: Driver>(
    bdev: *mut bindings::ttm_device,
    tt: *mut bindings::ttm_tt,
) {
    // SAFETY: TTM calls this with a `ttm_tt` that `create()` made, with pages; `bdev` is that of a
    // device of `T`. Either its BO is reserved or being destroyed.
    unsafe {
        T::tt_unpopulate(&TtObject::<T>::from_raw(tt).data);
        count_pages::<T>(Device::from_raw(bdev), tt, false);
        bindings::rgt_ttm_tt_unpopulate(bdev, tt);
    }
}
