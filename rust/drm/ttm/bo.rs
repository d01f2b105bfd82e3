// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Buffer objects.
//!
//! C header: [`include/drm/ttm/ttm_bo.h`](srctree/include/drm/ttm/ttm_bo.h)

use core::{
    cell::UnsafeCell,
    marker::PhantomData,
    mem,
    ops::Deref,
    ptr::{
        self,
        NonNull, //
    }, //
};

use kernel::{
    container_of, drm,
    error::to_result,
    prelude::*,
    sync::{
        aref::{
            ARef,
            AlwaysRefCounted, //
        },
        atomic::AtomicFlag,
        Arc, //
    },
    types::{
        NotThreadSafe,
        Opaque, //
    },
};

use super::{
    bulk::BulkMove,
    mappings::Mappings,
    DriverBo,
    Placement,
    Resource,
    Tt, //
};
use crate::rust::{
    bindings,
    dma_buf::DmaBuf,
    dma_fence::Fence,
    dma_resv::{
        LockedResv,
        Resv,
        Usage, //
    },
    drm::{
        exec::ExecLocks,
        gem::{
            ResvObject,
            SharedResv, //
        }, //
    },
    unpatched::ttm_object::{
        self,
        AsRawGem,
        Layout, //
    }, //
};

/// The fields of a BO behind those of TTM.
#[pin_data]
pub struct Fields<T: DriverBo> {
    /// Place in [`Bos`](super::bos::Bos).
    pub(super) link: Opaque<bindings::list_head>,
    /// The buffer that the BO is exported as, or NULL. The reservation protects it.
    pub(super) exported: Opaque<*mut bindings::dma_buf>,
    /// The bulk move that it is in. The reservation protects it.
    pub(super) bulk: UnsafeCell<Option<Arc<BulkMove>>>,
    pub(super) mappings: Mappings,
    /// Set when the BO was deleted while it had device-local memory.
    pub(super) deleted_local: AtomicFlag,
    pub(super) shared: Option<SharedResv>,
    pub(super) imported: Option<ARef<DmaBuf>>,
    #[pin]
    pub(super) data: T,
}

// SAFETY: The list is locked when links are accessed, `exported` and `bulk` need the reservation,
// and `T` is `Send`.
unsafe impl<T: DriverBo> Send for Fields<T> {}
// SAFETY: As above; `T` is `Sync`.
unsafe impl<T: DriverBo> Sync for Fields<T> {}

impl<T: DriverBo> ttm_object::Fields for Fields<T> {
    type Driver = T::Driver;
}

impl<T: DriverBo> Fields<T> {
    /// Returns the link of a BO.
    pub(super) fn link(bo: &Bo<T>) -> *mut bindings::list_head {
        // CAST: `Bo` is transparent over the object, which is laid out as `Layout`.
        let layout = ptr::from_ref(bo).cast::<Layout<Self>>();

        // SAFETY: As `bo` is valid, so is the layout.
        Opaque::cast_into(unsafe { &raw const (*layout).fields.link })
    }

    /// Returns where a BO has the buffer that it is exported as.
    pub(super) fn exported(bo: &Bo<T>) -> *mut *mut bindings::dma_buf {
        // CAST: `Bo` is transparent over the object, which is laid out as `Layout`.
        let layout = ptr::from_ref(bo).cast::<Layout<Self>>();

        // SAFETY: As `bo` is valid, so is the layout.
        Opaque::cast_into(unsafe { &raw const (*layout).fields.exported })
    }

    /// Returns where a BO has the bulk move that it is in.
    pub(super) fn bulk_move(bo: &Bo<T>) -> *mut Option<Arc<BulkMove>> {
        // CAST: `Bo` is transparent over the object, which is laid out as `Layout`.
        let layout = ptr::from_ref(bo).cast::<Layout<Self>>();

        // SAFETY: As `bo` is valid, so is the layout.
        unsafe { (*layout).fields.bulk.get() }
    }

    /// Returns the BO of a link.
    ///
    /// # Safety
    ///
    /// `link` must be that of a BO with data of type `T`.
    pub(super) unsafe fn bo_of_link(link: *mut bindings::list_head) -> NonNull<Bo<T>> {
        // SAFETY: By the safety requirements it is in a `Layout`, hence it is not NULL either.
        unsafe {
            NonNull::new_unchecked(
                container_of!(Opaque::cast_from(link), Layout<Self>, fields.link)
                    .cast_mut()
                    .cast(),
            )
        }
    }
}

/// The GEM object type of a TTM driver, for [`drm::Driver::Object`].
pub type Object<T> = ttm_object::Object<Fields<T>>;

/// The parameters of a new [`Bo`].
pub struct BoInit<'a> {
    /// Size in bytes, whole pages, not 0.
    pub size: usize,
    /// Alignment in device memory, in pages, a power of two; 0 for none.
    pub alignment_pages: u32,
    /// The reservation to share, and that it is locked; [`None`] gives the object its own.
    pub resv: Option<(&'a ResvObject, &'a LockedResv<'a>)>,
}

/// A buffer object.
///
/// It keeps its device as long as there are references to it.
///
/// # Examples
///
/// ```
/// # use kernel::{page::PAGE_SIZE, prelude::*};
/// # use crate::rust::drm::ttm::{Bo, BoInit, MemType, OperationCtx, Placement, Resource};
/// # use crate::tests::rust::drm::ttm::fake::{Fixture, TT, VRAM};
/// # let fixture = Fixture::new()?;
/// # let (dev, data) = (&fixture.drm, fixture.data());
/// let init = BoInit {
///     size: 4 * PAGE_SIZE,
///     alignment_pages: 0,
///     resv: None,
/// };
/// let bo = Bo::new(dev, init, Ok::<_, Error>(data))?;
///
/// // What needs the reservation is a method of what has it.
/// let mut guard = bo.reserve(false)?;
/// let mut reserved = guard.reserved();
/// assert!(reserved.resource().is_none());
/// reserved.validate(&Placement::new(&[VRAM, TT]), &mut OperationCtx::new(false))?;
/// assert_eq!(
///     reserved.resource().map(Resource::mem_type),
///     Some(MemType::VRAM)
/// );
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// A `ttm_buffer_object` that [`Bo::new_of_type()`] made, and a reference to its device.
#[repr(transparent)]
pub struct Bo<T: DriverBo>(Object<T>);

// SAFETY: A BO may be released from any thread; `T` is `Send`.
unsafe impl<T: DriverBo> Send for Bo<T> {}
// SAFETY: What may be accessed without a lock is constant or `Sync`; the rest takes a `Reserved`.
unsafe impl<T: DriverBo> Sync for Bo<T> {}

// SAFETY: All GEM objects are reference counted.
unsafe impl<T: DriverBo> AlwaysRefCounted for Bo<T> {
    fn inc_ref(&self) {
        // SAFETY: A shared reference shows that the count is not 0.
        unsafe { bindings::drm_gem_object_get(self.0.as_raw_gem()) };
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: The caller owns the reference that is given up here.
        unsafe { bindings::drm_gem_object_put(obj.cast().as_ptr()) };
    }
}

impl<T: DriverBo> Bo<T> {
    /// The object as `kernel::drm` knows it.
    pub fn as_gem(&self) -> &Object<T> {
        &self.0
    }

    /// Takes over a reference from `kernel::drm`, for example of a handle lookup.
    pub fn from_gem(object: ARef<Object<T>>) -> ARef<Self> {
        // INVARIANT: `gem::Object::new()` fails for objects of this type, hence `Bo::new()` made
        // it.
        // SAFETY: `Bo` is transparent over `Object`; the reference moves.
        unsafe { ARef::from_raw(ARef::into_raw(object).cast()) }
    }

    /// Hands a reference to `kernel::drm`.
    pub fn into_gem(this: ARef<Self>) -> ARef<Object<T>> {
        // SAFETY: `Bo` is transparent over `Object`; the reference moves.
        unsafe { ARef::from_raw(ARef::into_raw(this).cast()) }
    }

    /// Returns what importers have mapped of the BO.
    pub(super) fn mappings(&self) -> &Mappings {
        &self.0.mappings
    }

    /// Returns the flag that says that the BO was deleted while it had device-local memory.
    pub(super) fn deleted_local(&self) -> &AtomicFlag {
        &self.0.deleted_local
    }

    pub(super) fn as_raw(&self) -> *mut bindings::ttm_buffer_object {
        // CAST: By the type invariants the GEM object is the start of a `ttm_buffer_object`.
        self.0.as_raw_gem().cast()
    }

    /// Returns the BO that C's `bo` is, or [`None`] for a ghost: a copy of a BO that keeps the old
    /// place of a pipelined move alive, which is no `Bo`.
    ///
    /// # Safety
    ///
    /// `bo` must be a valid BO of a device of `T`'s driver for `'a`.
    pub(super) unsafe fn from_raw<'a>(bo: *mut bindings::ttm_buffer_object) -> Option<&'a Self> {
        // SAFETY: Valid by the safety requirements; `gem.funcs` is constant.
        let ghost = unsafe { (*bo).base.dev.is_null() };

        // INVARIANT: All BOs of the device but ghosts are made by `Bo::new()`.
        // SAFETY: As argued, it is a `Bo<T>`.
        (!ghost).then(|| unsafe { &*bo.cast::<Self>() })
    }

    /// Returns a reference, unless the last one is gone already.
    ///
    /// # Safety
    ///
    /// `self` may have come from TTM: only its memory must be valid.
    pub(super) unsafe fn get_unless_zero(&self) -> Option<ARef<Self>> {
        // SAFETY: Valid by the safety requirements.
        let got = unsafe { bindings::rgt_drm_gem_object_get_unless_zero(self.0.as_raw_gem()) };

        // SAFETY: The reference was taken above.
        got.then(|| unsafe { ARef::from_raw(self.into()) })
    }

    /// Returns the device that the object is of.
    pub fn device(&self) -> &drm::Device<T::Driver> {
        self.0.dev()
    }

    /// Returns the size in bytes.
    pub fn size(&self) -> usize {
        // SAFETY: Valid by the type invariants; the field is constant.
        unsafe { (*self.as_raw()).base.size }
    }

    /// Returns whether it is a [`KernelBo`](super::KernelBo), whose content is undefined at first.
    pub fn is_kernel(&self) -> bool {
        // SAFETY: Valid by the type invariants; the field is constant.
        unsafe { (*self.as_raw()).type_ == bindings::ttm_bo_type_ttm_bo_type_kernel }
    }

    /// Returns the reservation object, its own or the one that it shares.
    pub fn resv(&self) -> &Resv {
        // SAFETY: The pointer only changes when the last reference is gone, and the BO keeps a
        // reservation that it shares.
        unsafe { Resv::from_raw((*self.as_raw()).base.resv) }
    }

    /// Reserves the BO.
    ///
    /// Returns `ERESTARTSYS` when `interruptible` and a signal came.
    ///
    /// C: `ttm_bo_reserve()`.
    pub fn reserve(&self, interruptible: bool) -> Result<ReserveGuard<'_, T>> {
        // SAFETY: Valid by the type invariants.
        to_result(unsafe { bindings::rgt_ttm_bo_reserve(self.as_raw(), interruptible, false) })?;

        // SAFETY: It is reserved now, until the guard is dropped.
        Ok(ReserveGuard(unsafe { Reserved::new(self) }))
    }

    /// Reserves the BO if nobody else has it reserved.
    pub fn try_reserve(&self) -> Option<ReserveGuard<'_, T>> {
        // SAFETY: Valid by the type invariants.
        to_result(unsafe { bindings::rgt_ttm_bo_reserve(self.as_raw(), false, true) }).ok()?;

        // SAFETY: It is reserved now, until the guard is dropped.
        Some(ReserveGuard(unsafe { Reserved::new(self) }))
    }
}

impl<T: DriverBo> Deref for Bo<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.data
    }
}

/// The context of an operation: how it may wait and allocate.
///
/// Equivalent of `struct ttm_operation_ctx`.
#[repr(transparent)]
pub struct OperationCtx(bindings::ttm_operation_ctx);

impl OperationCtx {
    /// A context whose waits can be interrupted by signals, or not. Allocations fail rather than
    /// call the OOM killer.
    pub fn new(interruptible: bool) -> Self {
        Self(bindings::ttm_operation_ctx {
            interruptible,
            gfp_retry_mayfail: true,
            ..pin_init::zeroed()
        })
    }

    /// A context in which nothing waits, neither for the device nor for a reservation.
    pub fn no_wait() -> Self {
        Self(bindings::ttm_operation_ctx {
            no_wait_gpu: true,
            gfp_retry_mayfail: true,
            ..pin_init::zeroed()
        })
    }

    /// Returns whether waits may be interrupted.
    pub fn interruptible(&self) -> bool {
        self.0.interruptible
    }

    /// Returns whether operations may wait for devices.
    pub fn may_wait(&self) -> bool {
        !self.0.no_wait_gpu
    }

    /// Returns the number of bytes that operations in this context moved.
    pub fn bytes_moved(&self) -> u64 {
        self.0.bytes_moved
    }

    pub(super) fn as_raw(&mut self) -> *mut bindings::ttm_operation_ctx {
        &mut self.0
    }

    pub(super) fn into_raw(self) -> bindings::ttm_operation_ctx {
        self.0
    }

    /// # Safety
    ///
    /// `ptr` must be valid, and not be accessed otherwise, for `'a`.
    pub(super) unsafe fn from_raw<'a>(ptr: *mut bindings::ttm_operation_ctx) -> &'a mut Self {
        // SAFETY: `OperationCtx` is transparent; the rest is the caller's promise.
        unsafe { &mut *ptr.cast() }
    }
}

/// A buffer object whose reservation is held.
///
/// It stays in the task that took the lock:
///
/// ```compile_fail,E0277
/// # use crate::rust::drm::ttm::{DriverBo, Reserved};
/// fn is_send<T: Send>() {}
///
/// fn send<T: DriverBo>() {
///     is_send::<Reserved<'static, T>>();
/// }
/// ```
///
/// A resource is not looked at while a validation may free it:
///
/// ```compile_fail,E0502
/// # use kernel::prelude::*;
/// # use crate::rust::drm::ttm::{DriverBo, OperationCtx, Placement, Reserved};
/// fn look_at_the_old<T: DriverBo>(bo: &mut Reserved<'_, T>) -> Result {
///     let old = bo.resource();
///     bo.validate(&Placement::new(&[]), &mut OperationCtx::new(true))?;
///     let _ = old.is_some();
///     Ok(())
/// }
/// ```
///
/// # Invariants
///
/// The reservation of `bo` is held for `'a`, and this is the only `Reserved` of the BO but for
/// those of callbacks that run while this one is borrowed.
pub struct Reserved<'a, T: DriverBo> {
    bo: &'a Bo<T>,
    _not_send: NotThreadSafe,
}

impl<'a, T: DriverBo> Reserved<'a, T> {
    /// # Safety
    ///
    /// The caller promises the type's invariants.
    pub(super) unsafe fn new(bo: &'a Bo<T>) -> Self {
        // INVARIANT: By the safety requirements.
        Self {
            bo,
            _not_send: PhantomData,
        }
    }

    /// Returns a BO whose reservation `locks` has locked; `EINVAL` if it has not.
    pub fn of_exec(locks: &'a mut ExecLocks<'_>, bo: &'a Bo<T>) -> Result<Self> {
        locks.resv_of(bo.as_gem())?;

        // INVARIANT: The lock is held while `locks` is borrowed, and that is exclusive, so that it
        // has given out no other `Reserved`.
        Ok(Self {
            bo,
            _not_send: PhantomData,
        })
    }

    /// Returns the BO.
    pub fn bo(&self) -> &'a Bo<T> {
        self.bo
    }

    /// Returns the held reservation.
    pub fn locked_resv(&mut self) -> LockedResv<'_> {
        // SAFETY: Held by the type invariants; as `self` is borrowed there is no other proof.
        unsafe { LockedResv::new(self.bo.resv()) }
    }

    /// Returns what backs the BO; [`None`] before its first validation and after it was purged.
    pub fn resource(&self) -> Option<&Resource> {
        // SAFETY: `resource` is protected by the reservation.
        let res = unsafe { (*self.bo.as_raw()).resource };

        // SAFETY: A resource of a BO is valid, and does not change while `self` is borrowed.
        (!res.is_null()).then(|| unsafe { Resource::from_raw(res) })
    }

    /// Returns whether the BO has memory where it is: system pages may not be there yet, or not any
    /// more.
    pub fn has_memory(&self) -> bool {
        self.resource().is_some_and(|res| {
            !res.uses_tt() || self.tt().is_some_and(|tt| tt.dma_addresses().is_some())
        })
    }

    /// Returns how often the BO is pinned where it is.
    pub fn pin_count(&self) -> u32 {
        // SAFETY: `pin_count` is protected by the reservation.
        unsafe { (*self.bo.as_raw()).pin_count }
    }

    /// Returns the BO's system pages, if it is of a kind to have any where it is.
    pub fn tt(&self) -> Option<&Tt> {
        // SAFETY: `ttm` is protected by the reservation.
        let tt = unsafe { (*self.bo.as_raw()).ttm };

        // SAFETY: `tt_create()` makes all of them with `ttm_sg_tt_init()`; it does not change
        // while `self` is borrowed.
        (!tt.is_null()).then(|| unsafe { Tt::from_raw(tt) })
    }

    /// Moves the BO into the placement, unless it is there.
    ///
    /// Returns `ENOSPC` when no place has room, `ENOMEM` when the system has no memory,
    /// `ERESTARTSYS` when interrupted, `EINVAL` for a pinned BO that is elsewhere or is to have no
    /// backing; for an imported one errors of its exporter, too.
    ///
    /// C: `ttm_bo_validate()`.
    pub fn validate(&mut self, placement: &Placement<'_>, ctx: &mut OperationCtx) -> Result {
        self.validate_in(placement, ctx)
    }

    /// Moves the BO as [`Self::validate()`] does. Other BOs of the reservation `held`, which others
    /// that are locked are not, can be evicted for it.
    ///
    /// `held` is the BO's own or one that was locked in the same [`Exec`]; `EINVAL` otherwise. Those
    /// that were validated before may be anywhere afterwards, and so may the BO itself if this
    /// fails.
    ///
    /// C: `ttm_operation_ctx::resv` and `allow_res_evict`.
    ///
    /// [`Exec`]: crate::rust::drm::exec::Exec
    pub fn validate_evicting(
        &mut self,
        placement: &Placement<'_>,
        ctx: &mut OperationCtx,
        held: &Resv,
    ) -> Result {
        // SAFETY: Both are valid. No other task sets the ticket of this one.
        let locked = unsafe {
            let ticket = bindings::rgt_dma_resv_locking_ctx(self.bo.resv().as_raw());
            !ticket.is_null() && bindings::rgt_dma_resv_locking_ctx(held.as_raw()) == ticket
        };
        if held.as_raw() != self.bo.resv().as_raw() && !locked {
            return Err(EINVAL);
        }

        // An `Exec` releases its locks all at once, for which it would have to be borrowed, so the
        // lock is held during the call. C's callbacks have the only other `Reserved` of its BOs.
        ctx.0.resv = held.as_raw();
        ctx.0.allow_res_evict = true;
        let result = self.validate_in(placement, ctx);
        ctx.0.allow_res_evict = false;
        ctx.0.resv = ptr::null_mut();
        result
    }

    fn validate_in(&mut self, placement: &Placement<'_>, ctx: &mut OperationCtx) -> Result {
        // C does not look at the pins of a BO that is to lose its backing.
        if placement.is_empty() && self.pin_count() != 0 {
            return Err(EINVAL);
        }
        // SAFETY: The BO is valid and reserved; C copies what it needs of the placement.
        to_result(unsafe {
            bindings::ttm_bo_validate(self.bo.as_raw(), placement.as_raw(), ctx.as_raw())
        })?;
        if self.is_imported() {
            self.map_import()?;
        }
        Ok(())
    }

    /// Populates the system pages with the content, also after a swap-out.
    ///
    /// C: `ttm_bo_populate()`.
    pub fn populate(&mut self, ctx: &mut OperationCtx) -> Result {
        // SAFETY: The BO is valid and reserved.
        to_result(unsafe { bindings::ttm_bo_populate(self.bo.as_raw(), ctx.as_raw()) })
    }

    /// Waits until no job and no move uses the BO: at most 15 seconds, then `EBUSY`.
    ///
    /// C: `ttm_bo_wait_ctx()`.
    pub fn wait_idle(&self, ctx: &mut OperationCtx) -> Result {
        // SAFETY: The BO is valid and reserved.
        to_result(unsafe { bindings::ttm_bo_wait_ctx(self.bo.as_raw(), ctx.as_raw()) })
    }

    /// Moves the BO to the tail of its LRU list, as a use does.
    ///
    /// C: `ttm_bo_move_to_lru_tail_unlocked()`.
    pub fn touch(&self) {
        // SAFETY: The BO is valid and reserved.
        unsafe { bindings::rgt_ttm_bo_move_to_lru_tail(self.bo.as_raw()) };
    }

    /// Adds a fence for which `ttm_bo_handle_move_mem()` has reserved the slot.
    ///
    /// # Safety
    ///
    /// A slot must have been reserved and not been used since.
    pub(super) unsafe fn add_move_fence(&self, fence: &Fence) {
        // SAFETY: The reservation is held and has a slot by the safety requirements.
        unsafe {
            bindings::dma_resv_add_fence(
                self.bo.resv().as_raw(),
                fence.as_raw(),
                Usage::Kernel as u32,
            )
        };
    }
}

impl<T: DriverBo> Deref for Reserved<'_, T> {
    type Target = Bo<T>;

    fn deref(&self) -> &Bo<T> {
        self.bo
    }
}

/// Holds the reservation of a single BO.
// There is no `DerefMut`: swapping the insides of two guards would unlock the wrong BO.
pub struct ReserveGuard<'a, T: DriverBo>(Reserved<'a, T>);

impl<'a, T: DriverBo> ReserveGuard<'a, T> {
    /// # Safety
    ///
    /// The reservation must be the guard's to release.
    pub(super) unsafe fn new(reserved: Reserved<'a, T>) -> Self {
        Self(reserved)
    }

    /// Releases the reservation without counting this as a use, which would make the BO the last to
    /// be evicted.
    pub fn release_unused(self) {
        let resv = self.0.bo.resv();
        mem::forget(self);
        // SAFETY: The guard owned the reservation and gave it up.
        unsafe { bindings::dma_resv_unlock(resv.as_raw()) };
    }

    /// Returns the BO for what changes it.
    pub fn reserved(&mut self) -> Reserved<'_, T> {
        // INVARIANT: The guard holds the reservation and is borrowed exclusively.
        Reserved {
            bo: self.0.bo,
            _not_send: PhantomData,
        }
    }
}

impl<'a, T: DriverBo> Deref for ReserveGuard<'a, T> {
    type Target = Reserved<'a, T>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<T: DriverBo> Drop for ReserveGuard<'_, T> {
    fn drop(&mut self) {
        // SAFETY: The guard owns the reservation.
        unsafe { bindings::rgt_ttm_bo_unreserve(self.0.bo.as_raw()) };
    }
}
