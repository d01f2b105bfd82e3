// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Walks over the buffer objects of a memory type, least recently used first.
//!
//! C header: [`include/drm/ttm/ttm_bo.h`](srctree/include/drm/ttm/ttm_bo.h)

use core::{
    marker::PhantomData,
    mem,
    ptr, //
};

use kernel::{
    prelude::*,
    sync::aref::ARef,
    types::Opaque, //
};

use super::{
    Bo,
    Device,
    Driver,
    MemType,
    OperationCtx,
    Reserved, //
};
use crate::rust::bindings;

/// A walk over the BOs of one memory type that can be reserved without waiting.
///
/// It passes over BOs that are reserved, BOs whose last reference is gone, and ghosts. It does not
/// allocate, so that a shrinker can use it.
///
/// # Invariants
///
/// `cursor` is initialised unless `at` is [`At::Start`]. In [`At::Bo`], it holds the reservation of
/// that BO.
#[pin_data(PinnedDrop)]
pub struct LruWalk<'a, T: Driver> {
    #[pin]
    cursor: Opaque<bindings::ttm_bo_lru_cursor>,
    #[pin]
    arg: Opaque<bindings::ttm_lru_walk_arg>,
    #[pin]
    ctx: Opaque<bindings::ttm_operation_ctx>,
    man: *mut bindings::ttm_resource_manager,
    at: At<T>,
    _dev: PhantomData<&'a Device<T>>,
}

/// The position of a walk.
enum At<T: Driver> {
    Start,
    Bo(ARef<Bo<T::Bo>>),
    Skipped,
    End,
}

/// A BO that a walk has reserved.
pub struct LruBo<'a, T: Driver> {
    /// The BO.
    pub bo: Reserved<'a, T::Bo>,
    /// The walk's context.
    pub ctx: &'a mut OperationCtx,
}

impl<T: Driver> Device<T> {
    /// Walks over the BOs of a memory type. `ENODEV` before the device is up, `EINVAL` when it has
    /// no such type.
    ///
    /// C: `ttm_bo_lru_for_each_reserved_guarded()`.
    pub fn walk_lru(
        &self,
        mem_type: MemType,
        ctx: OperationCtx,
    ) -> Result<impl PinInit<LruWalk<'_, T>>> {
        let bdev = self.ready()?;
        let index = mem_type.as_raw() as usize;
        // SAFETY: The device is initialised; its managers do not change any more.
        let man = unsafe { (*bdev).man_drv.get(index).copied() }.unwrap_or(ptr::null_mut());
        if man.is_null() {
            return Err(EINVAL);
        }

        // INVARIANT: It is at the start.
        Ok(pin_init!(LruWalk {
            cursor: Opaque::zeroed(),
            arg: Opaque::zeroed(),
            ctx: Opaque::new(ctx.into_raw()),
            man,
            at: At::Start,
            _dev: PhantomData,
        }))
    }
}

impl<T: Driver> LruWalk<'_, T> {
    /// Releases the BO that the walk is at and goes on to the next.
    pub fn next(self: Pin<&mut Self>) -> Option<LruBo<'_, T>> {
        // SAFETY: Nothing is moved out of it.
        let this = unsafe { self.get_unchecked_mut() };

        loop {
            let cursor = this.cursor.get();
            // Dropped before C lets go of the BO, which it has a reference of its own to.
            let raw = match mem::replace(&mut this.at, At::End) {
                // SAFETY: The manager is that of a device that outlives the walk. `cursor`, `arg`
                // and `ctx` are pinned. With `trylock_only` no error is returned.
                At::Start => unsafe {
                    (*this.arg.get()).ctx = this.ctx.get();
                    (*this.arg.get()).trylock_only = true;
                    bindings::ttm_bo_lru_cursor_init(cursor, this.man, this.arg.get());
                    bindings::ttm_bo_lru_cursor_first(cursor)
                },
                // SAFETY: By the type invariants it is initialised.
                at @ (At::Bo(_) | At::Skipped) => unsafe {
                    drop(at);
                    bindings::ttm_bo_lru_cursor_next(cursor)
                },
                At::End => return None,
            };
            if raw.is_null() {
                return None;
            }

            // SAFETY: The cursor has reserved a valid BO of a device of `T` until it goes on.
            let found = unsafe { Bo::<T::Bo>::from_raw(raw).and_then(|bo| bo.get_unless_zero()) };
            let Some(bo) = found else {
                this.at = At::Skipped;
                continue;
            };
            this.at = At::Bo(bo);
            break;
        }

        let At::Bo(bo) = &this.at else {
            return None;
        };
        // SAFETY: The reservation is held until the walk goes on, for which it has to be borrowed
        // again, as for any other `Reserved` of it. C reads the context when it goes on only.
        Some(unsafe {
            LruBo {
                bo: Reserved::new(bo),
                ctx: OperationCtx::from_raw(this.ctx.get()),
            }
        })
    }
}

#[pinned_drop]
impl<T: Driver> PinnedDrop for LruWalk<'_, T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: Nothing is moved out of it.
        let this = unsafe { self.get_unchecked_mut() };

        if matches!(this.at, At::Start) {
            return;
        }
        this.at = At::End;
        // SAFETY: By the type invariants it is initialised.
        unsafe { bindings::ttm_bo_lru_cursor_fini(this.cursor.get()) };
    }
}
