// SPDX-License-Identifier: GPL-2.0

//! Trace events of VMs.

use core::ops::Range;

use kernel::prelude::*;

use crate::{
    bo::Bo,
    device::RgtDevice,
    rust::{
        bindings::{
            drm_rgt_vm_bind_op,
            DRM_RGT_VM_BIND_OP_MAP,
            DRM_RGT_VM_BIND_OP_NULL,
            DRM_RGT_VM_BIND_OP_PREFETCH,
            DRM_RGT_VM_BIND_OP_UNMAP_ALL,
            DRM_RGT_VM_BIND_OP_USERPTR, //
        },
        trace::declare_trace, //
    }, //
};

declare_trace! {
    fn rgt_vm_bind(
        dev: &'a RgtDevice, client: u64, vm: u32, op: &'a CStr, va: u64, size: u64, bo: u64,
        offset: u64, flags: u32, ret: i32,
    );
    fn rgt_vm_zap(dev: &'a RgtDevice, bo: u64, va: u64, size: u64);
}

/// An operation of a client on one of its VMs was queued, or was not. `bo` is 0 for none.
pub(crate) fn bound(
    dev: &RgtDevice,
    client: u64,
    vm: u32,
    op: &drm_rgt_vm_bind_op,
    bo: u64,
    done: Result,
) {
    rgt_vm_bind(|| {
        (
            dev,
            client,
            vm,
            match op.op {
                DRM_RGT_VM_BIND_OP_MAP => c"map",
                DRM_RGT_VM_BIND_OP_UNMAP_ALL => c"unmap_all",
                DRM_RGT_VM_BIND_OP_NULL => c"null",
                DRM_RGT_VM_BIND_OP_PREFETCH => c"prefetch",
                DRM_RGT_VM_BIND_OP_USERPTR => c"userptr",
                _ => c"unmap",
            },
            op.addr,
            op.size,
            bo,
            op.offset,
            op.flags,
            done.map_or_else(Error::to_errno, |()| 0),
        )
    });
}

/// A mapping of a process's memory that changes is invalidated.
pub(super) fn invalidated_user(dev: &RgtDevice, va: Range<u64>) {
    rgt_vm_zap(|| (dev, 0, va.start, va.end - va.start));
}

/// A mapping of a BO that moves is invalidated.
pub(super) fn invalidated(bo: &Bo, va: Range<u64>) {
    rgt_vm_zap(|| (bo.device(), bo.record.id(), va.start, va.end - va.start));
}
