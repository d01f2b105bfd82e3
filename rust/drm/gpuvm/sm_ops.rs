// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Split and merge: mapping and unmapping ranges that other mappings overlap.

use core::{
    ops::Range,
    ptr, //
};

use kernel::{
    error::to_result,
    prelude::*, //
};

use super::{
    mapping::range_of,
    DriverGpuVm,
    GpuVm,
    GpuVmGuard,
    Mapping,
    MappingAllocs,
    VmBo, //
};
use crate::rust::bindings;

/// The backing of a new mapping.
pub enum Content<'a, D: DriverGpuVm> {
    /// The bytes of a BO from this offset on.
    Bo(&'a VmBo<D>, u64),
    /// The bytes of something else, which the driver's data tells, from this offset on.
    Other(u64),
    /// Nothing: reads give zeros.
    Sparse,
}

impl<'a, D: DriverGpuVm> Content<'a, D> {
    fn vm_bo(&self) -> Option<&'a VmBo<D>> {
        match self {
            Self::Bo(vm_bo, _) => Some(*vm_bo),
            _ => None,
        }
    }

    fn offset(&self) -> u64 {
        match self {
            Self::Bo(_, offset) | Self::Other(offset) => *offset,
            Self::Sparse => 0,
        }
    }
}

/// The context of an operation's callbacks.
struct StepCtx<'a, D: DriverGpuVm> {
    vm: *mut bindings::drm_gpuvm,
    allocs: MappingAllocs<D>,
    /// Told the ranges that are not mapped any more.
    removed: &'a mut dyn FnMut(Range<u64>),
    /// The new mapping's backing and data; [`None`] of an unmap.
    new: Option<(Content<'a, D>, D::MappingData)>,
}

impl<D: DriverGpuVm> GpuVmGuard<'_, D> {
    /// Maps `content` at `range`, in place of what is mapped there.
    ///
    /// Neither allocates nor waits for a reservation. `removed` is called for each range that was
    /// mapped, while the BO of the old mapping still lists it: when it returns, the hardware's page
    /// tables must not have it any more.
    ///
    /// `EINVAL` for a range that is not the VM's, and for another VM's `vm_bo`, `ENOMEM` if `allocs`
    /// are for an unmap. Nothing is done then.
    ///
    /// C: `drm_gpuvm_sm_map()`.
    pub fn map(
        &mut self,
        allocs: MappingAllocs<D>,
        content: Content<'_, D>,
        range: Range<u64>,
        data: D::MappingData,
        removed: &mut dyn FnMut(Range<u64>),
    ) -> Result {
        let vm_bo = content.vm_bo();
        if let Some(vm_bo) = vm_bo {
            vm_bo.check_vm(self.vm)?;
        }
        if allocs.len() < 3 {
            return Err(ENOMEM);
        }
        // C does not mind.
        if range.is_empty() {
            return Err(EINVAL);
        }
        let request = bindings::drm_gpuvm_map_req {
            map: bindings::drm_gpuva_op_map {
                va: bindings::drm_gpuva_op_map__bindgen_ty_1 {
                    addr: range.start,
                    range: range.end.saturating_sub(range.start),
                },
                gem: bindings::drm_gpuva_op_map__bindgen_ty_2 {
                    offset: content.offset(),
                    obj: vm_bo.map_or(ptr::null_mut(), |vm_bo| {
                        ptr::from_ref(vm_bo.bo()).cast_mut().cast()
                    }),
                },
            },
        };
        let mut ctx = StepCtx {
            vm: self.vm.raw.get(),
            allocs,
            removed,
            new: Some((content, data)),
        };

        // SAFETY: The lock is held, the request valid, and the callbacks take this context.
        to_result(unsafe {
            bindings::drm_gpuvm_sm_map(self.vm.raw.get(), (&raw mut ctx).cast(), &raw const request)
        })
    }

    /// Unmaps `range`: mappings in it, the overlap of others, holes.
    ///
    /// Neither allocates nor waits for a reservation. `removed` is called as by [`Self::map()`].
    ///
    /// `EINVAL` for a range that is not the VM's.
    ///
    /// C: `drm_gpuvm_sm_unmap()`.
    pub fn unmap(
        &mut self,
        allocs: MappingAllocs<D>,
        range: Range<u64>,
        removed: &mut dyn FnMut(Range<u64>),
    ) -> Result {
        let mut ctx = StepCtx {
            vm: self.vm.raw.get(),
            allocs,
            removed,
            new: None,
        };

        // SAFETY: The lock is held, and the callbacks take this context.
        to_result(unsafe {
            bindings::drm_gpuvm_sm_unmap(
                self.vm.raw.get(),
                (&raw mut ctx).cast(),
                range.start,
                range.end.saturating_sub(range.start),
            )
        })
    }

    /// Unmaps a BO wherever it is mapped. `removed` is called as by [`Self::map()`].
    ///
    /// Neither allocates nor waits for a reservation. `EINVAL` for another VM's `vm_bo`.
    pub fn unmap_all(&mut self, vm_bo: &VmBo<D>, removed: &mut dyn FnMut(Range<u64>)) -> Result {
        while let Some(range) = vm_bo.first_mapping(self)? {
            // Nothing is cut: nothing is left of the mapping.
            self.unmap(MappingAllocs::none(), range, removed)?;
        }
        Ok(())
    }
}

impl<D: DriverGpuVm> GpuVm<D> {
    /// Adds the new mapping.
    ///
    /// # Safety
    ///
    /// Only for GPUVM, as `drm_gpuvm_ops::sm_step_map`, for [`GpuVmGuard::map()`].
    pub(super) unsafe extern "C" fn step_map(
        op: *mut bindings::drm_gpuva_op,
        ctx: *mut c_void,
    ) -> c_int {
        // SAFETY: GPUVM passes a valid map operation and `map()`'s context.
        let (map, ctx) = unsafe {
            (
                &raw mut (*op).__bindgen_anon_1.map,
                &mut *ctx.cast::<StepCtx<'_, D>>(),
            )
        };
        let Some((content, data)) = ctx.new.take() else {
            return EINVAL.to_errno();
        };
        let flags = match content {
            Content::Sparse => bindings::drm_gpuva_flags_DRM_GPUVA_SPARSE,
            _ => 0,
        };
        let va = match ctx.allocs.take(flags, data) {
            Ok(va) => va,
            Err(err) => return err.to_errno(),
        };

        // SAFETY: `va` is ours and the tree's lock held. GPUVM has removed what overlapped, so that
        // it goes into the tree, which owns it from here on. It is linked with the GPUVA lock held.
        unsafe {
            bindings::drm_gpuva_map(ctx.vm, va, map);
            if let Some(vm_bo) = content.vm_bo() {
                let lock = &raw mut (*(*vm_bo.as_raw()).obj).gpuva.lock;
                bindings::mutex_lock(lock);
                bindings::drm_gpuva_link(va, vm_bo.as_raw());
                bindings::mutex_unlock(lock);
            }
        }
        0
    }

    /// Removes a mapping.
    ///
    /// # Safety
    ///
    /// Only for GPUVM, as `drm_gpuvm_ops::sm_step_unmap`, for [`GpuVmGuard`]'s operations.
    pub(super) unsafe extern "C" fn step_unmap(
        op: *mut bindings::drm_gpuva_op,
        ctx: *mut c_void,
    ) -> c_int {
        // SAFETY: GPUVM passes a valid unmap operation and the operation's context. All mappings
        // are the first field of a `Mapping<D>` that `MappingAllocs` made, and unmapping makes the
        // box ours again.
        unsafe {
            let unmap = &raw mut (*op).__bindgen_anon_1.unmap;
            let va = (*unmap).va;
            ((*ctx.cast::<StepCtx<'_, D>>()).removed)(range_of(va));
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
    /// Only for GPUVM, as `drm_gpuvm_ops::sm_step_remap`, for [`GpuVmGuard`]'s operations.
    pub(super) unsafe extern "C" fn step_remap(
        op: *mut bindings::drm_gpuva_op,
        ctx: *mut c_void,
    ) -> c_int {
        // SAFETY: GPUVM passes a valid remap operation and the operation's context.
        let (remap, ctx) = unsafe {
            (
                &raw mut (*op).__bindgen_anon_1.remap,
                &mut *ctx.cast::<StepCtx<'_, D>>(),
            )
        };
        // SAFETY: As in `step_unmap()`: the old mapping is a `Mapping<D>`, valid until it is freed
        // below.
        let (old, prev_op, next_op, vm_bo, flags, data) = unsafe {
            let old = (*(*remap).unmap).va.cast::<Mapping<D>>();
            (
                old,
                (*remap).prev,
                (*remap).next,
                (*(*old).raw.get()).vm_bo,
                (*(*old).raw.get()).flags,
                &(*old).data,
            )
        };

        // The operation cuts at most the first mapping's end and the last one's start.
        let mut take = |op: *mut bindings::drm_gpuva_op_map| {
            if op.is_null() {
                return Ok(ptr::null_mut());
            }
            ctx.allocs.take(flags, data.clone())
        };
        let (prev, next) = match (take(prev_op), take(next_op)) {
            (Ok(prev), Ok(next)) => (prev, next),
            _ => return ENOMEM.to_errno(),
        };

        // SAFETY: `old` is valid, and so are operations that are not NULL.
        let removed = unsafe {
            let mut removed = range_of(old.cast());
            if !prev_op.is_null() {
                removed.start = (*prev_op).va.addr + (*prev_op).va.range;
            }
            if !next_op.is_null() {
                removed.end = (*next_op).va.addr;
            }
            removed
        };

        // SAFETY: `prev` and `next` are NULL exactly where the operation has none; new mappings
        // are linked to the `vm_bo` of the old one, with its BO's GPUVA lock held, before that is
        // unlinked, so that the `vm_bo` stays. A mapping of no BO has none and is not linked.
        unsafe {
            bindings::drm_gpuva_remap(prev, next, remap);
            if !vm_bo.is_null() {
                let lock = &raw mut (*(*vm_bo).obj).gpuva.lock;
                bindings::mutex_lock(lock);
                for va in [prev, next] {
                    if !va.is_null() {
                        bindings::drm_gpuva_link(va, vm_bo);
                    }
                }
                bindings::mutex_unlock(lock);
            }
            (ctx.removed)(removed);
            bindings::drm_gpuva_unlink_defer(old.cast());
            drop(KBox::from_raw(old));
        }
        0
    }
}
