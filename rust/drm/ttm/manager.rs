// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Resource managers: the allocators of memory types.
//!
//! C header: [`include/drm/ttm/ttm_resource.h`](srctree/include/drm/ttm/ttm_resource.h)

use core::{
    any::TypeId,
    ptr::NonNull, //
};

use kernel::{
    prelude::*,
    sync::atomic::{
        Acquire,
        Atomic,
        AtomicFlag,
        Relaxed,
        Release, //
    },
    types::Opaque, //
};

use super::{
    MemType,
    Place, //
};
use crate::rust::{
    bindings,
    drm::print::Printer, //
};

/// A request for memory.
pub struct AllocRequest<'a> {
    /// Size in bytes, whole pages.
    pub size: usize,
    /// Alignment in bytes, a power of two of at least a page.
    pub alignment: usize,
    /// The place, with its flags.
    pub place: &'a Place,
    /// The BO is new and reads as zeros: memory that is known to be zero need not be cleared.
    pub zeroed: bool,
}

/// The allocator of one memory type.
///
/// All methods may sleep. They do their own locking.
///
/// # Examples
///
/// The system pages that a device sees are TTM's: their manager only counts.
///
/// ```
/// # use kernel::{prelude::*, sync::{atomic::{Atomic, Relaxed}, Arc}};
/// # use crate::rust::drm::ttm::{
/// #     AllocRequest, Manager, MemType, Place, PlaceFlags, ResourceManager,
/// # };
/// struct Gtt {
///     limit: i64,
///     used: Arc<Atomic<i64>>,
/// }
///
/// struct GttResource {
///     size: i64,
///     used: Arc<Atomic<i64>>,
/// }
///
/// impl Drop for GttResource {
///     fn drop(&mut self) {
///         self.used.fetch_add(-self.size, Relaxed);
///     }
/// }
///
/// impl ResourceManager for Gtt {
///     type Resource = GttResource;
///
///     const USE_TT: bool = true;
///
///     fn alloc<'a>(
///         &'a self,
///         request: &'a AllocRequest<'_>,
///     ) -> impl PinInit<GttResource, Error> + 'a {
///         let size = request.size as i64;
///         // Dropped when it exceeds the limit.
///         let resource = GttResource {
///             size,
///             used: self.used.clone(),
///         };
///
///         if self.used.fetch_add(size, Relaxed) > self.limit - size {
///             Err(ENOSPC)
///         } else {
///             Ok(resource)
///         }
///     }
/// }
///
/// let gtt = Gtt {
///     limit: 8192,
///     used: Arc::new(Atomic::new(0), GFP_KERNEL)?,
/// };
/// // Goes to `ttm::Device::init()` with its memory type and size.
/// let gtt = Arc::pin_init(Manager::<Gtt>::new(Ok::<_, Error>(gtt)), GFP_KERNEL)?;
/// assert_eq!(gtt.usage(), 0);
/// # let place = Place::new(MemType::TT, PlaceFlags::NONE);
/// # let request = AllocRequest { size: 8192, alignment: 4096, place: &place, zeroed: true };
/// # let _first = KBox::pin_init(gtt.inner().alloc(&request), GFP_KERNEL)?;
/// # assert!(matches!(
/// #     KBox::pin_init(gtt.inner().alloc(&request), GFP_KERNEL),
/// #     Err(ENOSPC)
/// # ));
/// # Ok::<(), Error>(())
/// ```
pub trait ResourceManager: Send + Sync + Sized + 'static {
    /// The manager's part of a resource. Dropping it gives the memory back.
    type Resource: Send + Sync;

    /// Set if the memory is system pages, held in a [`Tt`](super::Tt).
    const USE_TT: bool;

    /// Allocates. Must fail with `ENOSPC`, and no other error, when there is no room: TTM then
    /// evicts and asks again.
    fn alloc<'a>(
        &'a self,
        request: &'a AllocRequest<'_>,
    ) -> impl PinInit<Self::Resource, Error> + 'a;

    /// Returns whether freeing the resource would help a BO of `size` bytes to fit into the place.
    fn intersects(&self, _res: &Self::Resource, _place: &Place, _size: usize) -> bool {
        true
    }

    /// Returns whether the resource is in the place.
    fn compatible(&self, _res: &Self::Resource, _place: &Place, _size: usize) -> bool {
        true
    }

    /// Prints the state of the allocator, in lines, after the size and the usage that TTM prints: for
    /// [`Device::show_manager()`](super::Device::show_manager), and for the kernel's log when a BO
    /// that is to be evicted has no place to go to.
    fn debug(&self, _out: &Printer<'_>) {}
}

/// A `ttm_resource` with the manager's part behind it.
#[repr(C)]
#[pin_data]
pub(super) struct ResourceObject<M: ResourceManager> {
    base: Opaque<bindings::ttm_resource>,
    #[pin]
    data: M::Resource,
}

impl<M: ResourceManager> ResourceObject<M> {
    /// # Safety
    ///
    /// `ptr` must point to the `base` of a `ResourceObject<M>` that is valid for `'a`.
    pub(super) unsafe fn data_from_raw<'a>(ptr: *mut bindings::ttm_resource) -> &'a M::Resource {
        // SAFETY: `base` is the first field of the `repr(C)` object.
        unsafe { &(*ptr.cast::<Self>()).data }
    }
}

/// A resource manager that TTM can call.
///
/// # Invariants
///
/// `raw` is zeroed or a valid `ttm_resource_manager`. `inner_type` is the type ID of `M`, at the
/// same offset for all `M`. `attached` says whether a device uses the manager.
#[pin_data]
#[repr(C)]
pub struct Manager<M: ResourceManager> {
    #[pin]
    raw: Opaque<bindings::ttm_resource_manager>,
    inner_type: TypeId,
    attached: AtomicFlag,
    used: Atomic<u64>,
    #[pin]
    inner: M,
}

// SAFETY: `raw` is only accessed by TTM, which locks it, or read through atomic-sized fields that
// are constant after registration; `M` is `Send` and `Sync`.
unsafe impl<M: ResourceManager> Send for Manager<M> {}
// SAFETY: As above.
unsafe impl<M: ResourceManager> Sync for Manager<M> {}

impl<M: ResourceManager> Manager<M> {
    const FUNCS: bindings::ttm_resource_manager_func = bindings::ttm_resource_manager_func {
        alloc: Some(Self::alloc_callback),
        free: Some(Self::free_callback),
        intersects: Some(Self::intersects_callback),
        compatible: Some(Self::compatible_callback),
        debug: Some(Self::debug_callback),
    };

    /// Creates a manager that is not registered yet.
    pub fn new<E>(inner: impl PinInit<M, E>) -> impl PinInit<Self, Error>
    where
        Error: From<E>,
    {
        // INVARIANT: `raw` is zeroed and `inner_type` is that of `M`.
        try_pin_init!(Self {
            raw: Opaque::zeroed(),
            inner_type: TypeId::of::<M>(),
            attached: AtomicFlag::new(false),
            used: Atomic::new(0),
            inner <- inner,
        })
    }

    /// Returns the allocator.
    pub fn inner(&self) -> &M {
        &self.inner
    }

    /// Returns the bytes of all resources that the manager has handed out.
    ///
    /// As `ttm_resource_manager_usage()`, but does not need the device, which the manager may
    /// outlive.
    pub fn usage(&self) -> u64 {
        self.used.load(Relaxed)
    }

    /// # Safety
    ///
    /// `man` must be NULL, or point to the `raw` of a `Manager` of any type that is valid for `'a`.
    pub(super) unsafe fn try_from_raw<'a>(
        man: *mut bindings::ttm_resource_manager,
    ) -> Option<&'a M> {
        let man = NonNull::new(man)?.cast::<Self>();

        // SAFETY: `Manager` is `repr(C)`, so that `inner_type` has the same offset whatever its
        // parameter is.
        let inner_type = unsafe { &raw const (*man.as_ptr()).inner_type };
        // SAFETY: Valid by the safety requirements.
        if unsafe { *inner_type } != TypeId::of::<M>() {
            return None;
        }

        // SAFETY: `inner_type` says that it is a `Manager<M>`.
        Some(unsafe { &man.as_ref().inner })
    }

    /// # Safety
    ///
    /// `man` must point to the `raw` of a `Manager<M>` that is valid for `'a`.
    unsafe fn from_raw<'a>(man: *mut bindings::ttm_resource_manager) -> &'a Self {
        // SAFETY: `raw` is the first field of the `repr(C)` type.
        unsafe { &*man.cast::<Self>() }
    }

    /// Allocates a resource.
    ///
    /// # Safety
    ///
    /// Only for TTM, as `ttm_resource_manager_func::alloc` of a `Manager<M>`.
    unsafe extern "C" fn alloc_callback(
        man: *mut bindings::ttm_resource_manager,
        bo: *mut bindings::ttm_buffer_object,
        place: *const bindings::ttm_place,
        res: *mut *mut bindings::ttm_resource,
    ) -> c_int {
        // SAFETY: TTM calls this for a registered manager, which is a `Manager<M>`.
        let this = unsafe { Self::from_raw(man) };
        // SAFETY: TTM's `place` is valid for the call.
        let safe_place = unsafe { Place::from_raw(place) };
        // SAFETY: TTM's `bo` is valid and reserved for the call.
        let (size, pages, zeroed) = unsafe {
            let user = (*bo).type_ == bindings::ttm_bo_type_ttm_bo_type_device;
            (
                (*bo).base.size,
                (*bo).page_alignment,
                user && (*bo).resource.is_null(),
            )
        };
        let request = AllocRequest {
            size,
            alignment: (pages.max(1) as usize) * kernel::page::PAGE_SIZE,
            place: safe_place,
            zeroed,
        };

        let object = KBox::try_pin_init(
            try_pin_init!(ResourceObject::<M> {
                base: Opaque::zeroed(),
                data <- this.inner.alloc(&request),
            }? Error),
            GFP_KERNEL,
        );
        match object {
            Ok(object) => {
                // SAFETY: C treats resources as pinned; `free_callback()` drops it in place.
                let ptr = KBox::into_raw(unsafe { Pin::into_inner_unchecked(object) })
                    .cast::<bindings::ttm_resource>();
                this.used.fetch_add(size as u64, Relaxed);
                // SAFETY: `ptr` is the object's first field, `bo` and `place` are valid, and `res`
                // is where TTM wants the result.
                unsafe {
                    bindings::ttm_resource_init(bo, place, ptr);
                    *res = ptr;
                }
                0
            }
            Err(err) => err.to_errno(),
        }
    }

    /// Frees a resource.
    ///
    /// # Safety
    ///
    /// Only for TTM, as `ttm_resource_manager_func::free` of a `Manager<M>`.
    unsafe extern "C" fn free_callback(
        man: *mut bindings::ttm_resource_manager,
        res: *mut bindings::ttm_resource,
    ) {
        // SAFETY: TTM calls this for a registered manager, which is a `Manager<M>`, and a valid
        // resource.
        let (this, size) = unsafe { (Self::from_raw(man), (*res).size) };
        this.used.fetch_sub(size as u64, Relaxed);
        // SAFETY: `res` was initialised in `alloc_callback()` and is not used after this.
        unsafe { bindings::ttm_resource_fini(man, res) };
        // SAFETY: `alloc_callback()` made it from a `KBox<ResourceObject<M>>`.
        drop(unsafe { KBox::from_raw(res.cast::<ResourceObject<M>>()) });
    }

    /// # Safety
    ///
    /// `man` must point to the `raw` of a `Manager<M>`, `res` to a resource that it made, and all
    /// must be valid for `'a`.
    unsafe fn arguments<'a>(
        man: *mut bindings::ttm_resource_manager,
        res: *mut bindings::ttm_resource,
        place: *const bindings::ttm_place,
    ) -> (&'a M, &'a M::Resource, &'a Place) {
        // SAFETY: By the safety requirements; `Manager<M>` makes all its resources as
        // `ResourceObject<M>`.
        unsafe {
            (
                &Self::from_raw(man).inner,
                ResourceObject::<M>::data_from_raw(res),
                Place::from_raw(place),
            )
        }
    }

    /// Calls [`ResourceManager::intersects()`].
    ///
    /// # Safety
    ///
    /// Only for TTM, as `ttm_resource_manager_func::intersects` of a `Manager<M>`.
    unsafe extern "C" fn intersects_callback(
        man: *mut bindings::ttm_resource_manager,
        res: *mut bindings::ttm_resource,
        place: *const bindings::ttm_place,
        size: usize,
    ) -> bool {
        // SAFETY: TTM's arguments are valid for the call and the manager is a `Manager<M>`.
        let (inner, data, place) = unsafe { Self::arguments(man, res, place) };

        inner.intersects(data, place, size)
    }

    /// Calls [`ResourceManager::compatible()`].
    ///
    /// # Safety
    ///
    /// Only for TTM, as `ttm_resource_manager_func::compatible` of a `Manager<M>`.
    unsafe extern "C" fn compatible_callback(
        man: *mut bindings::ttm_resource_manager,
        res: *mut bindings::ttm_resource,
        place: *const bindings::ttm_place,
        size: usize,
    ) -> bool {
        // SAFETY: TTM's arguments are valid for the call and the manager is a `Manager<M>`.
        let (inner, data, place) = unsafe { Self::arguments(man, res, place) };

        inner.compatible(data, place, size)
    }

    /// Calls [`ResourceManager::debug()`].
    ///
    /// # Safety
    ///
    /// Only for TTM, as `ttm_resource_manager_func::debug` of a `Manager<M>`.
    unsafe extern "C" fn debug_callback(
        man: *mut bindings::ttm_resource_manager,
        out: *mut bindings::drm_printer,
    ) {
        // SAFETY: TTM's arguments are valid for the call and the manager is a `Manager<M>`.
        let (this, out) = unsafe { (Self::from_raw(man), Printer::from_raw(out)) };

        this.inner.debug(&out);
    }
}

/// A manager of any type, as a device uses it.
pub(super) trait Registered: Send + Sync {
    /// Registers the manager with `bdev` for `mem_type`, of `size` bytes.
    ///
    /// `EINVAL` when that type has a manager or is TTM's own, `EBUSY` when a device uses the
    /// manager.
    ///
    /// # Safety
    ///
    /// `bdev` must be an initialised device that is not in use yet, and stay valid until
    /// [`Self::detach()`]; the manager must stay where it is until then.
    unsafe fn attach(
        &self,
        bdev: *mut bindings::ttm_device,
        mem_type: MemType,
        size: u64,
    ) -> Result;

    /// The manager as C knows it.
    fn as_raw(&self) -> *mut bindings::ttm_resource_manager;

    /// Frees what is left and unregisters the manager from `bdev`.
    ///
    /// # Safety
    ///
    /// [`Self::attach()`] must have succeeded with the same device and type, and all BOs that exist
    /// must be under destruction.
    unsafe fn detach(&self, bdev: *mut bindings::ttm_device, mem_type: MemType);
}

impl<M: ResourceManager> Registered for Manager<M> {
    unsafe fn attach(
        &self,
        bdev: *mut bindings::ttm_device,
        mem_type: MemType,
        size: u64,
    ) -> Result {
        let man = self.raw.get();

        // SAFETY: By the safety requirements the device is initialised. Slot 0 is the system's.
        if !unsafe { (*bdev).man_drv[mem_type.as_raw() as usize] }.is_null() {
            return Err(EINVAL);
        }
        // INVARIANT: `bdev` uses it from here on.
        if self.attached.cmpxchg(false, true, Acquire).is_err() {
            return Err(EBUSY);
        }

        // SAFETY: By the safety requirements the device is not in use yet, as `attached` says
        // the manager was not, and both outlive the registration.
        unsafe {
            (*man).use_tt = M::USE_TT;
            (*man).func = const { &Self::FUNCS };
            bindings::ttm_resource_manager_init(man, bdev, size);
            (*bdev).man_drv[mem_type.as_raw() as usize] = man;
            bindings::rgt_ttm_resource_manager_set_used(man, true);
        }
        Ok(())
    }

    fn as_raw(&self) -> *mut bindings::ttm_resource_manager {
        self.raw.get()
    }

    unsafe fn detach(&self, bdev: *mut bindings::ttm_device, mem_type: MemType) {
        let man = self.raw.get();

        // SAFETY: By the safety requirements the manager is registered with `bdev` and all that
        // its lists may hold are BOs that are being destroyed.
        unsafe {
            bindings::ttm_resource_manager_evict_all(bdev, man);
            bindings::rgt_ttm_resource_manager_set_used(man, false);
            bindings::rgt_ttm_resource_manager_cleanup(man);
            (*bdev).man_drv[mem_type.as_raw() as usize] = core::ptr::null_mut();
        }
        // INVARIANT: `bdev` has forgotten it.
        self.attached.store(false, Release);
    }
}
