// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The table of callbacks that TTM gets of a driver.
//!
//! C header: [`include/drm/ttm/ttm_device.h`](srctree/include/drm/ttm/ttm_device.h)

use kernel::{
    io::PhysAddr,
    prelude::*,
    sync::atomic::Relaxed,
    warn_on, //
};

use super::{
    import,
    pool,
    released::LiveBo,
    Bo,
    Device,
    Driver,
    DriverBo,
    Move,
    MoveOutcome,
    OperationCtx,
    Place,
    ReleasedBo,
    Reserved,
    Resource, //
};
use crate::rust::{
    bindings,
    dma_resv::{
        Resv,
        Usage, //
    }, //
};

/// The table for C.
pub(super) const fn table<T: Driver>() -> bindings::ttm_device_funcs {
    bindings::ttm_device_funcs {
        ttm_tt_create: Some(pool::create::<T>),
        ttm_tt_populate: Some(pool::populate::<T>),
        ttm_tt_unpopulate: Some(pool::unpopulate::<T>),
        ttm_tt_destroy: Some(pool::destroy::<T>),
        eviction_valuable: Some(eviction_valuable::<T>),
        evict_flags: Some(evict_flags::<T>),
        move_: Some(move_callback::<T>),
        delete_mem_notify: Some(delete_mem_notify::<T>),
        swap_notify: None,
        io_mem_reserve: Some(io_mem_reserve::<T>),
        io_mem_free: None,
        io_mem_pfn: Some(io_mem_pfn::<T>),
        access_memory: None,
        release_notify: Some(release_notify::<T>),
    }
}

/// Returns the BO that C's `raw` is for as long as a callback takes, or [`None`] for a ghost and
/// for a BO without references.
///
/// # Safety
///
/// `raw` must be a valid BO of a device of `T`.
unsafe fn live<T: Driver>(raw: *mut bindings::ttm_buffer_object) -> Option<LiveBo<T::Bo>> {
    // SAFETY: By the safety requirements.
    unsafe { Bo::<T::Bo>::from_raw(raw).and_then(|bo| LiveBo::new(bo)) }
}

/// Calls [`Driver::eviction_valuable()`].
///
/// # Safety
///
/// Only for TTM, as `ttm_device_funcs::eviction_valuable` of a device of `T`.
unsafe extern "C" fn eviction_valuable<T: Driver>(
    raw: *mut bindings::ttm_buffer_object,
    place: *const bindings::ttm_place,
) -> bool {
    // SAFETY: TTM calls this with a valid, reserved BO of a device of `T` and a valid place, or
    // NULL to drain a cgroup wherever that makes room.
    match unsafe { live::<T>(raw) } {
        // SAFETY: As above; no other `Reserved` of the BO is in use during the callback.
        Some(bo) => unsafe {
            let place = (!place.is_null()).then(|| Place::from_raw(place));
            T::eviction_valuable(&Reserved::new(&bo), place)
        },
        // TTM would wait for its jobs, with the reservations of the caller held. Where there is no
        // place, for a cgroup, it holds none.
        // SAFETY: As above. Without references the reservation is the BO's own.
        None => unsafe {
            (place.is_null() || Resv::from_raw((*raw).base.resv).test_signaled(Usage::Bookkeep))
                && bindings::ttm_bo_eviction_valuable(raw, place)
        },
    }
}

/// The placement of an evicted ghost or BO without references, whose content is not needed.
static GHOST_PLACE: [Place; 1] = [Place::new(super::MemType::SYSTEM, super::PlaceFlags::NONE)];

/// Calls [`Driver::evict_flags()`].
///
/// # Safety
///
/// Only for TTM, as `ttm_device_funcs::evict_flags` of a device of `T`.
unsafe extern "C" fn evict_flags<T: Driver>(
    raw: *mut bindings::ttm_buffer_object,
    placement: *mut bindings::ttm_placement,
) {
    // SAFETY: TTM calls this with a valid, reserved BO of a device of `T`.
    let places = match unsafe { live::<T>(raw) } {
        // SAFETY: As above; no other `Reserved` of the BO is in use during the callback.
        Some(bo) => T::evict_flags(&unsafe { Reserved::new(&bo) }),
        None => &GHOST_PLACE,
    };

    // SAFETY: `placement` is valid for writing. `Place` is transparent over `ttm_place`, and the
    // list lives for ever.
    unsafe {
        (*placement).num_placement = places.len() as u32;
        (*placement).placement = places.as_ptr().cast();
    }
}

/// Calls [`Driver::move_bo()`].
///
/// # Safety
///
/// Only for TTM, as `ttm_device_funcs::move` of a device of `T`.
unsafe extern "C" fn move_callback<T: Driver>(
    raw: *mut bindings::ttm_buffer_object,
    evict: bool,
    ctx: *mut bindings::ttm_operation_ctx,
    new: *mut bindings::ttm_resource,
    hop: *mut bindings::ttm_place,
) -> c_int {
    // SAFETY: TTM calls this with a valid, reserved BO of a device of `T`.
    let Some(bo) = (unsafe { Bo::<T::Bo>::from_raw(raw) }) else {
        // A ghost only ever loses its memory.
        // SAFETY: As above, and `new` is its new resource.
        unsafe { bindings::rgt_ttm_bo_move_null(raw, new) };
        return 0;
    };
    // SAFETY: The BO is valid.
    let Some(bo) = (unsafe { LiveBo::new(bo) }) else {
        // SAFETY: The arguments are those of this call.
        return unsafe { move_released(bo, OperationCtx::from_raw(ctx), new) };
    };

    // SAFETY: The arguments are those of this call; no other `Reserved` of the BO is in use during
    // the callback.
    let mut mv = unsafe {
        Move::new(
            Reserved::new(&bo),
            OperationCtx::from_raw(ctx),
            evict,
            Resource::from_raw(new),
        )
    };
    if bo.is_imported() {
        return import::move_imported(mv).map_or_else(Error::to_errno, |()| 0);
    }
    if let Err(err) = mv.invalidate_shared() {
        return err.to_errno();
    }
    let outcome = T::move_bo(mv);
    // SAFETY: The BO is reserved.
    if unsafe { (*raw).resource } == new {
        // Done, whatever the driver says: an error here would make TTM free what is in use.
        warn_on!(!matches!(outcome, Ok(MoveOutcome::Done(_))));
        return 0;
    }
    match outcome {
        Ok(MoveOutcome::Done(_)) => {
            // The resource must not be forgotten.
            warn_on!(true);
            EIO.to_errno()
        }
        Ok(MoveOutcome::Hop(place)) => {
            if hop.is_null() {
                // The second leg of a multihop cannot have a third.
                return EINVAL.to_errno();
            }
            // SAFETY: `hop` is valid for writing.
            unsafe { *hop = place.into_raw() };
            -(bindings::EMULTIHOP as c_int)
        }
        Err(err) => err.to_errno(),
    }
}

/// Moves a BO without references, and hence without mappings of a VM, whose content is not needed.
///
/// # Safety
///
/// `bo` must be reserved and `new` the resource that it is to get.
unsafe fn move_released<T: DriverBo>(
    bo: &Bo<T>,
    ctx: &mut OperationCtx,
    new: *mut bindings::ttm_resource,
) -> c_int {
    // SAFETY: The BO is reserved, and no other `Reserved` of it is in use.
    let mut bo = unsafe { Reserved::new(bo) };

    if let Err(err) = bo.wait_idle(ctx) {
        return err.to_errno();
    }
    bo.unmap_import();
    // SAFETY: The BO is reserved and idle, and `new` is its new resource.
    unsafe { bindings::rgt_ttm_bo_move_null(bo.bo().as_raw(), new) };
    0
}

/// Calls [`Driver::delete_notify()`].
///
/// # Safety
///
/// Only for TTM, as `ttm_device_funcs::delete_mem_notify` of a device of `T`.
unsafe extern "C" fn delete_mem_notify<T: Driver>(raw: *mut bindings::ttm_buffer_object) {
    // SAFETY: TTM calls this with a valid BO of a device of `T`.
    if let Some(bo) = unsafe { Bo::<T::Bo>::from_raw(raw) } {
        // SAFETY: TTM holds the reservation of a BO without references.
        unsafe {
            Reserved::new(bo).unmap_import();
            T::delete_notify(&ReleasedBo::new(bo));
        }
    }
}

/// Calls [`Driver::release_notify()`].
///
/// # Safety
///
/// Only for TTM, as `ttm_device_funcs::release_notify` of a device of `T`.
unsafe extern "C" fn release_notify<T: Driver>(raw: *mut bindings::ttm_buffer_object) {
    // SAFETY: TTM calls this with a valid BO of a device of `T`.
    if let Some(bo) = unsafe { Bo::<T::Bo>::from_raw(raw) } {
        // SAFETY: As above.
        let released = unsafe { ReleasedBo::new(bo) };
        note_deletion::<T>(bo, &released);
        T::release_notify(&released);
    }
}

/// Counts a BO without references as being deleted if it has device-local memory. It is done when it
/// is destroyed.
fn note_deletion<T: Driver>(bo: &Bo<T::Bo>, released: &ReleasedBo<'_, T::Bo>) {
    if !released.is_local() {
        return;
    }
    // The device outlives its BOs.
    released.with_device(|dev| {
        Device::of(dev).deletions().begin();
        bo.deleted_local().store(true, Relaxed);
    });
}

/// Fills in the CPU's address and caching mode of a resource.
///
/// # Safety
///
/// Only for TTM, as `ttm_device_funcs::io_mem_reserve` of a device of `T`.
unsafe extern "C" fn io_mem_reserve<T: Driver>(
    bdev: *mut bindings::ttm_device,
    raw: *mut bindings::ttm_resource,
) -> c_int {
    // SAFETY: TTM calls this with a registered resource of a reserved BO.
    let (res, use_tt) = unsafe {
        let man = (*bdev).man_drv[(*raw).mem_type as usize];
        (Resource::from_raw(raw), (*man).use_tt)
    };
    if use_tt {
        return 0;
    }

    let Some(run) = T::io_mem_run(res, 0) else {
        return EINVAL.to_errno();
    };
    // SAFETY: The reservation protects the bus placement.
    unsafe {
        (*raw).bus.offset = run.addr();
        (*raw).bus.is_iomem = true;
        (*raw).bus.caching = T::io_caching(res) as u32;
    }
    0
}

/// Returns the page frame of a page of a BO.
///
/// # Safety
///
/// Only for TTM, as `ttm_device_funcs::io_mem_pfn` of a device of `T`.
unsafe extern "C" fn io_mem_pfn<T: Driver>(
    bo: *mut bindings::ttm_buffer_object,
    page_offset: usize,
) -> usize {
    // SAFETY: The fault handler calls this with a reserved BO that has a resource.
    let res = unsafe { Resource::from_raw((*bo).resource) };

    // An address that the CPU does not see is an error of the driver, which has just been asked to
    // bring the BO to where it does. There is no page at the last frame.
    let run = T::io_mem_run(res, page_offset);
    warn_on!(run.is_none());
    (run.map_or(PhysAddr::MAX, |run| run.addr()) >> kernel::page::PAGE_SHIFT) as usize
}
