// SPDX-License-Identifier: GPL-2.0 OR MIT

//! DRM GPUVM for TTM buffer objects.
//!
//! `kernel::drm::gpuvm` asks for GEM objects that are `Send` and `Sync`, which `gem::Object`, and
//! with it every TTM object, is not. This one takes [`ttm::Bo`] instead. As that one, it uses
//! GPUVM in immediate mode: the list of a BO's mappings is under the BO's GPUVA lock, so that a
//! VM can be changed without any reservation.
//!
//! C header: [`include/drm/drm_gpuvm.h`](srctree/include/drm/drm_gpuvm.h)

use core::{
    any::TypeId,
    marker::PhantomData,
    mem::MaybeUninit,
    ops::{
        Deref,
        Range, //
    },
    ptr::{
        self,
        NonNull, //
    }, //
};

use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    drm,
    error::to_result,
    new_mutex,
    prelude::*,
    sync::{
        aref::{
            ARef,
            AlwaysRefCounted, //
        },
        atomic::{
            Atomic,
            Relaxed, //
        },
        Mutex,
        MutexGuard, //
    },
    types::Opaque, //
};

use crate::rust::{
    bindings,
    dma_resv::Resv,
    drm::{
        device,
        exec::ExecLocks,
        gem::ResvObject,
        ttm::{
            Bo,
            DriverBo, //
        }, //
    },
};

/// The driver's data of a VM.
pub trait DriverGpuVm: Send + Sync + Sized + 'static {
    /// The driver's data of the buffer objects that can be mapped.
    type Bo: DriverBo;
}

/// A GPU virtual address space: which part of which buffer object is mapped where.
///
/// # Invariants
///
/// * Allocated with `KBox` and counted by `raw`'s reference count.
/// * `data_type` is the type ID of `D`, at the same offset for all `D`.
/// * The tree of mappings is only accessed with `lock` held.
#[pin_data]
#[repr(C)]
pub struct GpuVm<D: DriverGpuVm> {
    #[pin]
    raw: Opaque<bindings::drm_gpuvm>,
    data_type: TypeId,
    #[pin]
    lock: Mutex<()>,
    #[pin]
    data: D,
}

// SAFETY: The tree is under `lock`, BOs are `Send` and `Sync`, and so is `D`.
unsafe impl<D: DriverGpuVm> Send for GpuVm<D> {}
// SAFETY: As above.
unsafe impl<D: DriverGpuVm> Sync for GpuVm<D> {}

// SAFETY: The count is in `raw`.
unsafe impl<D: DriverGpuVm> AlwaysRefCounted for GpuVm<D> {
    fn inc_ref(&self) {
        // SAFETY: A shared reference shows that the count is not 0.
        unsafe { bindings::drm_gpuvm_get(self.raw.get()) };
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: The caller owns the reference that is given up here.
        unsafe { bindings::drm_gpuvm_put((*obj.as_ptr()).raw.get()) };
    }
}

impl<D: DriverGpuVm> PartialEq for GpuVm<D> {
    fn eq(&self, other: &Self) -> bool {
        ptr::eq(self, other)
    }
}

impl<D: DriverGpuVm> Eq for GpuVm<D> {}

impl<D: DriverGpuVm> Deref for GpuVm<D> {
    type Target = D;

    fn deref(&self) -> &D {
        &self.data
    }
}

impl<D: DriverGpuVm> GpuVm<D> {
    const OPS: bindings::drm_gpuvm_ops = bindings::drm_gpuvm_ops {
        vm_free: Some(Self::free_callback),
        sm_step_unmap: Some(Self::step_unmap),
        sm_step_remap: Some(Self::step_remap),
        ..pin_init::zeroed()
    };

    /// Creates an empty VM for the addresses of `range`.
    ///
    /// It has a reservation object of its own, which private BOs can share.
    pub fn new(
        name: &'static CStr,
        dev: &drm::Device<<D::Bo as DriverBo>::Driver>,
        range: Range<u64>,
        data: impl PinInit<D, Error>,
    ) -> Result<ARef<Self>> {
        let raw_dev = device::raw(dev);
        // SAFETY: `raw_dev` is valid.
        let resv = NonNull::new(unsafe { bindings::drm_gpuvm_resv_object_alloc(raw_dev) })
            .ok_or(ENOMEM)?;

        let vm = KBox::try_pin_init(
            try_pin_init!(Self {
                data <- data,
                lock <- new_mutex!((), "GpuVm::lock"),
                data_type: TypeId::of::<D>(),
                // Last, so that nothing can fail after it.
                raw: Opaque::zeroed(),
            }? Error),
            GFP_KERNEL,
        );
        if let Ok(vm) = &vm {
            // SAFETY: `raw` is zeroed, everything else valid for as long as the VM; `OPS` lives
            // for ever.
            unsafe {
                bindings::drm_gpuvm_init(
                    vm.raw.get(),
                    name.as_char_ptr(),
                    bindings::drm_gpuvm_flags_DRM_GPUVM_IMMEDIATE_MODE,
                    raw_dev,
                    resv.as_ptr(),
                    range.start,
                    range.end - range.start,
                    0,
                    0,
                    const { &Self::OPS },
                )
            };
        }
        // SAFETY: The VM has its own reference, if there is one.
        unsafe { bindings::drm_gem_object_put(resv.as_ptr()) };

        // SAFETY: C treats it as pinned; `free_callback()` drops it in place. The first reference
        // is ours.
        vm.map(|vm| unsafe {
            ARef::from_raw(NonNull::from(KBox::leak(Pin::into_inner_unchecked(vm))))
        })
    }

    /// Locks the tree of mappings.
    pub fn lock(&self) -> GpuVmGuard<'_, D> {
        GpuVmGuard {
            vm: self,
            _guard: self.lock.lock(),
        }
    }

    /// Returns the object whose reservation private BOs share. No other VM has it.
    pub fn resv_object(&self) -> &ResvObject {
        // SAFETY: The VM holds a reference to it, and `new()` made it as one.
        unsafe { ResvObject::from_raw((*self.raw.get()).r_obj) }
    }

    /// Returns the reservation of that.
    pub fn resv(&self) -> &Resv {
        self.resv_object().resv()
    }

    /// Locks the VM's reservation as part of `locks`.
    pub fn lock_resv(&self, locks: &mut ExecLocks<'_>) -> Result {
        // SAFETY: The VM holds a reference to its reservation's GEM object.
        unsafe { locks.lock_raw((*self.raw.get()).r_obj) }
    }

    /// Frees the buffer objects that lost their last mapping. Must not be called with the
    /// reservation of any of them held.
    ///
    /// C: `drm_gpuvm_bo_deferred_cleanup()`.
    pub fn cleanup(&self) {
        // SAFETY: The VM is valid and in immediate mode.
        unsafe { bindings::drm_gpuvm_bo_deferred_cleanup(self.raw.get()) };
    }

    /// Returns the VM that C's `vm` is, if its data is a `D`.
    ///
    /// # Safety
    ///
    /// `vm` must be the `raw` of a `GpuVm` of any type that is valid for `'a`.
    unsafe fn try_from_raw<'a>(vm: *mut bindings::drm_gpuvm) -> Option<&'a Self> {
        let vm = vm.cast::<Self>();

        // SAFETY: By the type invariants the field is at the same place for all `D`.
        if unsafe { (*vm).data_type } != TypeId::of::<D>() {
            return None;
        }
        // SAFETY: The type ID says that it is a `GpuVm<D>`.
        Some(unsafe { &*vm })
    }

    /// Frees the VM with its last reference.
    ///
    /// # Safety
    ///
    /// Only for GPUVM, as `drm_gpuvm_ops::vm_free` of a `GpuVm<D>`.
    unsafe extern "C" fn free_callback(vm: *mut bindings::drm_gpuvm) {
        // SAFETY: `raw` is the first field of what `new()` allocated, and no references are left.
        drop(unsafe { KBox::from_raw(vm.cast::<Self>()) });
    }

    /// # Safety
    ///
    /// `ctx` must be the private pointer that [`GpuVmGuard::unmap()`] passes.
    unsafe fn removed(ctx: *mut c_void, range: Range<u64>) {
        // SAFETY: By the safety requirements.
        let ctx = unsafe { &mut *ctx.cast::<UnmapCtx<'_, D>>() };
        (ctx.removed)(range);
    }

    /// Removes a mapping.
    ///
    /// # Safety
    ///
    /// Only for GPUVM, as `drm_gpuvm_ops::sm_step_unmap`, for [`GpuVmGuard::unmap()`].
    unsafe extern "C" fn step_unmap(op: *mut bindings::drm_gpuva_op, ctx: *mut c_void) -> c_int {
        // SAFETY: GPUVM passes a valid unmap operation and `unmap()`'s context. All mappings are
        // the first field of a `Mapping<D>` that `map()` or `step_remap()` made, and unmapping
        // makes the box ours again.
        unsafe {
            let unmap = &raw mut (*op).__bindgen_anon_1.unmap;
            let va = (*unmap).va;
            Self::removed(ctx, range_of(va));
            bindings::drm_gpuva_unmap(unmap);
            bindings::drm_gpuva_unlink_defer(va);
            drop(KBox::from_raw(va.cast::<Mapping<D>>()));
        }
        0
    }

    /// Cuts a mapping.
    ///
    /// # Safety
    ///
    /// Only for GPUVM, as `drm_gpuvm_ops::sm_step_remap`, for [`GpuVmGuard::unmap()`].
    unsafe extern "C" fn step_remap(op: *mut bindings::drm_gpuva_op, ctx: *mut c_void) -> c_int {
        // SAFETY: GPUVM passes a valid remap operation and `unmap()`'s context.
        let (remap, ctx_ref) = unsafe {
            (
                &raw mut (*op).__bindgen_anon_1.remap,
                &mut *ctx.cast::<UnmapCtx<'_, D>>(),
            )
        };
        // SAFETY: As in `step_unmap()`: the old mapping is a `Mapping<D>`.
        let (old, prev_op, next_op) = unsafe {
            (
                (*(*remap).unmap).va.cast::<Mapping<D>>(),
                (*remap).prev,
                (*remap).next,
            )
        };
        // SAFETY: `old` is valid until it is freed below.
        let (old_range, vm_bo, writable) = unsafe {
            (
                range_of(old.cast()),
                (*(*old).raw.get()).vm_bo,
                (*old).writable,
            )
        };

        // An unmap cuts at most the first mapping's end and the last one's start.
        let take = |alloc: &mut UnmapAlloc<D>, op: *mut bindings::drm_gpuva_op_map| {
            if op.is_null() {
                return Ok(ptr::null_mut());
            }
            let va = alloc.0.pop().ok_or(ENOMEM)?;
            Ok::<_, Error>(va.into_mapping(writable))
        };
        let (prev, next) = match (
            take(&mut ctx_ref.alloc, prev_op),
            take(&mut ctx_ref.alloc, next_op),
        ) {
            (Ok(prev), Ok(next)) => (prev, next),
            _ => return ENOMEM.to_errno(),
        };

        let start = if prev_op.is_null() {
            old_range.start
        } else {
            // SAFETY: Not NULL, hence valid.
            unsafe { (*prev_op).va.addr + (*prev_op).va.range }
        };
        let end = if next_op.is_null() {
            old_range.end
        } else {
            // SAFETY: Not NULL, hence valid.
            unsafe { (*next_op).va.addr }
        };

        // SAFETY: `prev` and `next` are NULL exactly where the operation has none; new mappings
        // are linked to the `vm_bo` of the old one, with its BO's GPUVA lock held, before that is
        // unlinked, so that the `vm_bo` stays.
        unsafe {
            bindings::drm_gpuva_remap(prev, next, remap);
            let lock = &raw mut (*(*vm_bo).obj).gpuva.lock;
            bindings::mutex_lock(lock);
            // A move of the BO marks its mappings under this lock.
            let stale = (*old).is_stale();
            for va in [prev, next] {
                if !va.is_null() {
                    (*va.cast::<Mapping<D>>()).set_stale(stale);
                    bindings::drm_gpuva_link(va, vm_bo);
                }
            }
            bindings::mutex_unlock(lock);
            Self::removed(ctx, start..end);
            bindings::drm_gpuva_unlink_defer(old.cast());
            drop(KBox::from_raw(old));
        }
        0
    }
}

/// # Safety
///
/// `va` must be valid.
unsafe fn range_of(va: *mut bindings::drm_gpuva) -> Range<u64> {
    // SAFETY: By the safety requirements.
    let va = unsafe { &raw const (*va).va };
    // SAFETY: As above; the fields of a mapping in the tree do not change.
    unsafe { (*va).addr..(*va).addr + (*va).range }
}

/// A mapping: a range of addresses of a VM, and the part of a BO that is there.
///
/// # Invariants
///
/// `raw` is a valid `drm_gpuva`, in the tree of a [`GpuVm<D>`] and linked to a BO.
#[repr(C)]
pub struct Mapping<D: DriverGpuVm> {
    raw: Opaque<bindings::drm_gpuva>,
    writable: bool,
    stale: Atomic<bool>,
    _data: PhantomData<D>,
}

impl<D: DriverGpuVm> Mapping<D> {
    /// The addresses.
    pub fn range(&self) -> Range<u64> {
        // SAFETY: Valid by the type invariants.
        unsafe { range_of(self.raw.get()) }
    }

    /// The BO.
    pub fn bo(&self) -> &Bo<D::Bo> {
        // SAFETY: Valid by the type invariants; `map()` takes a `Bo` of this type, whose GEM
        // object is its first field, and the mapping's `vm_bo` holds a reference to it.
        unsafe { &*(*self.raw.get()).gem.obj.cast::<Bo<D::Bo>>() }
    }

    /// Offset in the BO, in bytes, of what is at the first address.
    pub fn offset(&self) -> u64 {
        // SAFETY: Valid by the type invariants.
        unsafe { (*self.raw.get()).gem.offset }
    }

    /// Returns whether the GPU may write.
    pub fn writable(&self) -> bool {
        self.writable
    }

    /// Returns whether the page tables lack the mapping. True for a new one.
    pub fn is_stale(&self) -> bool {
        self.stale.load(Relaxed)
    }

    /// Sets whether the page tables lack the mapping.
    ///
    /// To be called with the BO reserved: the reservation orders it with moves of the BO.
    pub fn set_stale(&self, stale: bool) {
        self.stale.store(stale, Relaxed);
    }
}

/// Memory for one mapping.
struct MappingAlloc<D: DriverGpuVm>(KBox<MaybeUninit<Mapping<D>>>);

// SAFETY: It is memory in which nothing is yet.
unsafe impl<D: DriverGpuVm> Send for MappingAlloc<D> {}

impl<D: DriverGpuVm> MappingAlloc<D> {
    fn new() -> Result<Self> {
        Ok(Self(KBox::new_uninit(GFP_KERNEL_ACCOUNT)?))
    }

    /// Creates the mapping, for C to fill in, link and own.
    fn into_mapping(self, writable: bool) -> *mut bindings::drm_gpuva {
        let mapping = KBox::write(
            self.0,
            Mapping {
                raw: Opaque::zeroed(),
                writable,
                stale: Atomic::new(true),
                _data: PhantomData,
            },
        );
        KBox::into_raw(mapping).cast()
    }
}

/// All that mapping a BO needs to allocate.
///
/// # Invariants
///
/// `vm_bo` is an owned reference to a `drm_gpuvm_bo` that connects a `GpuVm<D>` and a BO.
pub struct MapAlloc<D: DriverGpuVm> {
    mapping: Option<MappingAlloc<D>>,
    vm_bo: NonNull<bindings::drm_gpuvm_bo>,
}

impl<D: DriverGpuVm> MapAlloc<D> {
    /// Allocates for a mapping of `bo` in `vm`.
    pub fn new(vm: &GpuVm<D>, bo: &Bo<D::Bo>) -> Result<Self> {
        let mapping = MappingAlloc::new()?;
        let obj = ptr::from_ref(bo).cast_mut().cast();
        // SAFETY: Both are valid. The new `vm_bo`, or the one that is there already, holds
        // references to them.
        let vm_bo = unsafe {
            let fresh = bindings::drm_gpuvm_bo_create(vm.raw.get(), obj);
            if fresh.is_null() {
                return Err(ENOMEM);
            }
            bindings::drm_gpuvm_bo_obtain_prealloc(fresh)
        };

        // INVARIANT: `drm_gpuvm_bo_obtain_prealloc()` gives us a reference.
        Ok(Self {
            mapping: Some(mapping),
            vm_bo: NonNull::new(vm_bo).ok_or(ENOMEM)?,
        })
    }
}

impl<D: DriverGpuVm> Drop for MapAlloc<D> {
    fn drop(&mut self) {
        // SAFETY: The reference is ours by the type invariants.
        unsafe { bindings::drm_gpuvm_bo_put_deferred(self.vm_bo.as_ptr()) };
    }
}

/// All that an unmap needs to allocate.
pub struct UnmapAlloc<D: DriverGpuVm>(KVec<MappingAlloc<D>>);

impl<D: DriverGpuVm> UnmapAlloc<D> {
    /// Allocates for the two mappings that an unmap can cut off.
    pub fn new() -> Result<Self> {
        let mut vec = KVec::with_capacity(2, GFP_KERNEL)?;
        for _ in 0..2 {
            vec.push(MappingAlloc::new()?, GFP_KERNEL)?;
        }
        Ok(Self(vec))
    }
}

/// The context of an unmap's callbacks.
struct UnmapCtx<'a, D: DriverGpuVm> {
    alloc: UnmapAlloc<D>,
    removed: &'a mut dyn FnMut(Range<u64>),
}

/// Holds the lock of a VM's mappings.
pub struct GpuVmGuard<'a, D: DriverGpuVm> {
    vm: &'a GpuVm<D>,
    _guard: MutexGuard<'a, ()>,
}

impl<D: DriverGpuVm> GpuVmGuard<'_, D> {
    /// Returns whether nothing is mapped in the range.
    pub fn is_vacant(&self, range: &Range<u64>) -> bool {
        // SAFETY: The lock is held.
        unsafe {
            bindings::drm_gpuvm_interval_empty(
                self.vm.raw.get(),
                range.start,
                range.end - range.start,
            )
        }
    }

    /// Maps what `alloc` was made for, from byte `offset` on. `EEXIST` when the range is not
    /// vacant, `EINVAL` when it is not one of the VM.
    pub fn map(
        &mut self,
        mut alloc: MapAlloc<D>,
        offset: u64,
        range: Range<u64>,
        writable: bool,
    ) -> Result {
        // SAFETY: By the invariants of `MapAlloc` it is valid.
        let (vm, obj) = unsafe { ((*alloc.vm_bo.as_ptr()).vm, (*alloc.vm_bo.as_ptr()).obj) };
        if vm != self.vm.raw.get() || range.is_empty() {
            return Err(EINVAL);
        }
        let va = alloc.mapping.take().ok_or(EINVAL)?.into_mapping(writable);

        // SAFETY: `va` is ours; the lock of the tree is held. A `drm_gpuva` that was not inserted
        // is freed here, one that was is owned by the tree.
        unsafe {
            (*va).va.addr = range.start;
            (*va).va.range = range.end - range.start;
            (*va).gem.obj = obj;
            (*va).gem.offset = offset;
            if let Err(err) = to_result(bindings::drm_gpuva_insert(vm, va)) {
                drop(KBox::from_raw(va.cast::<Mapping<D>>()));
                return Err(err);
            }

            let lock = &raw mut (*obj).gpuva.lock;
            bindings::mutex_lock(lock);
            bindings::drm_gpuva_link(va, alloc.vm_bo.as_ptr());
            bindings::mutex_unlock(lock);
        }
        Ok(())
    }

    /// Unmaps the range and calls `removed` for each range in it that was mapped.
    ///
    /// Mappings that reach out of the range are cut. `removed` is called while the BO still lists
    /// the mapping, so that a move finds it: when it returns, the hardware must not reach the BO
    /// through the range any more.
    pub fn unmap(
        &mut self,
        alloc: UnmapAlloc<D>,
        range: Range<u64>,
        removed: &mut dyn FnMut(Range<u64>),
    ) -> Result {
        let mut ctx = UnmapCtx { alloc, removed };

        // SAFETY: The lock is held, and the callbacks take this context.
        to_result(unsafe {
            bindings::drm_gpuvm_sm_unmap(
                self.vm.raw.get(),
                (&raw mut ctx).cast(),
                range.start,
                range.end - range.start,
            )
        })
    }

    /// Calls `f` for each mapping, in the order of their addresses, until it fails.
    pub fn for_each(&self, mut f: impl FnMut(&Mapping<D>) -> Result) -> Result {
        // SAFETY: The lock is held, so that the list does not change; all entries are the
        // `rb.entry` of a `Mapping<D>`.
        unsafe {
            let head = &raw mut (*self.vm.raw.get()).rb.list;
            let mut entry = (*head).next;
            while entry != head {
                let next = (*entry).next;
                let va = kernel::container_of!(entry, bindings::drm_gpuva, rb.entry);
                // `drm_gpuvm` keeps a node of its own in the list if a range is reserved; this
                // one has none.
                f(&*va.cast::<Mapping<D>>())?;
                entry = next;
            }
        }
        Ok(())
    }
}

/// Calls `f` for each mapping of `bo` in all VMs whose data is a `D`.
///
/// The BO's GPUVA lock is held meanwhile: `f` must not map or unmap.
pub fn for_each_mapping<D: DriverGpuVm>(bo: &Bo<D::Bo>, mut f: impl FnMut(&GpuVm<D>, &Mapping<D>)) {
    let obj = ptr::from_ref(bo)
        .cast_mut()
        .cast::<bindings::drm_gem_object>();

    // SAFETY: The BO is valid. Both lists are under the GPUVA lock; their entries are `vm_bo`s,
    // which hold a reference to their VM, and mappings of these.
    unsafe {
        let lock = &raw mut (*obj).gpuva.lock;
        bindings::mutex_lock(lock);
        let head = &raw mut (*obj).gpuva.list;
        let mut entry = (*head).next;
        while entry != head {
            let vm_bo = kernel::container_of!(entry, bindings::drm_gpuvm_bo, list.entry.gem);
            if let Some(vm) = GpuVm::<D>::try_from_raw((*vm_bo).vm) {
                let head = (&raw const (*vm_bo).list.gpuva).cast_mut();
                let mut entry = (*head).next;
                while entry != head {
                    let va = kernel::container_of!(entry, bindings::drm_gpuva, gem.entry);
                    f(vm, &*va.cast::<Mapping<D>>());
                    entry = (*entry).next;
                }
            }
            entry = (*entry).next;
        }
        bindings::mutex_unlock(lock);
    }
}
