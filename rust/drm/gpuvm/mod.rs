// SPDX-License-Identifier: GPL-2.0 OR MIT

//! DRM GPUVM for TTM buffer objects.
//!
//! `kernel::drm::gpuvm` asks for a GEM object type that is `Send` and `Sync`. `gem::Object`, and
//! with it every TTM object, is neither, and only the kernel crate can make it so: its traits of
//! GEM objects are sealed, and the marker traits may not be implemented for a type of another
//! crate. So this takes [`ttm::Bo`] instead, in the same shape and with the same flags:
//!
//! * immediate mode: the tree of mappings changes when a job does, in the signalling path. All
//!   that this takes is allocated before, and the list of a BO's mappings is under the BO's GPUVA
//!   lock, not its reservation.
//! * the lists of external, of evicted and of displaced objects are under the VM's reservation.
//!
//! [`ttm::Bo`]: crate::rust::drm::ttm::Bo
//!
//! C header: [`include/drm/drm_gpuvm.h`](srctree/include/drm/drm_gpuvm.h)

mod displaced;
mod mapping;
mod sm_ops;
mod vm_bo;

pub use self::{
    mapping::{
        for_each_mapping,
        Mapping,
        MappingAllocs, //
    },
    sm_ops::Content,
    vm_bo::{
        evict,
        VmBo, //
    }, //
};

use core::{
    any::TypeId,
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
    drm,
    new_mutex,
    prelude::*,
    sync::{
        aref::{
            ARef,
            AlwaysRefCounted, //
        },
        Mutex,
        MutexGuard, //
    },
    types::Opaque, //
};

use self::displaced::Displaced;
use crate::rust::{
    bindings,
    dma_resv::Resv,
    drm::{
        device,
        exec::ExecLocks,
        gem::ResvObject,
        ttm::DriverBo, //
    }, //
};

/// The driver's data of a VM.
pub trait DriverGpuVm: Send + Sync + Sized + 'static {
    /// The driver's data of the buffer objects that can be mapped.
    type Bo: DriverBo;

    /// The driver's data of a mapping. What is left of a mapping that is cut has a clone of it.
    ///
    /// It is cloned and dropped in the signalling path, with the tree of mappings locked.
    type MappingData: Clone + Send + Sync + 'static;
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
    displaced: Displaced,
    #[pin]
    data: D,
}

// SAFETY: The tree is under `lock`, the lists under the reservation, BOs are `Send` and `Sync`, and so
// is `D`.
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
        sm_step_map: Some(Self::step_map),
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
                displaced <- Displaced::new(),
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
                    bindings::drm_gpuvm_flags_DRM_GPUVM_IMMEDIATE_MODE
                        | bindings::drm_gpuvm_flags_DRM_GPUVM_RESV_PROTECTED,
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
    ///
    /// Jobs take this lock: nothing may be allocated, and no reservation be locked, while it is
    /// held.
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
    /// reservation of the VM or of any of them held, nor where fences signal.
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
}

/// Holds the lock of a VM's tree of mappings.
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

    /// Calls `f` for each mapping that overlaps `range`, in the order of their addresses.
    pub fn for_each_in(&self, range: &Range<u64>, mut f: impl FnMut(&Mapping<D>)) {
        // SAFETY: The lock is held, so that tree and list do not change; all entries are of a
        // `Mapping<D>`, as there is no node of `drm_gpuvm`'s own.
        unsafe {
            let vm = self.vm.raw.get();
            let head = &raw mut (*vm).rb.list;
            let size = range.end.saturating_sub(range.start);
            let first = bindings::drm_gpuva_find_first(vm, range.start, size);
            if first.is_null() {
                return;
            }

            let mut entry = &raw mut (*first).rb.entry;
            while entry != head {
                let va = kernel::container_of!(entry, bindings::drm_gpuva, rb.entry);
                let mapping = &*va.cast::<Mapping<D>>();
                if mapping.range().start >= range.end {
                    break;
                }
                f(mapping);
                entry = (*entry).next;
            }
        }
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
