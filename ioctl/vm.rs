// SPDX-License-Identifier: GPL-2.0

//! VM_CREATE, VM_DESTROY, VM_BIND.

use core::{
    ops::Range,
    ptr, //
};

use kernel::{
    page::PAGE_SIZE,
    prelude::*,
    sync::aref::ARef, //
};

use super::{
    call::Call,
    gem::lookup,
    Device,
    File, //
};
use crate::{
    bo::Bo,
    hw::Gpu,
    rust::{
        bindings::{
            drm_rgt_vm_bind,
            drm_rgt_vm_bind_op,
            drm_rgt_vm_create,
            drm_rgt_vm_destroy,
            DRM_RGT_VM_BIND_OP_MAP,
            DRM_RGT_VM_BIND_OP_UNMAP,
            DRM_RGT_VM_BIND_READONLY,
            DRM_RGT_VM_BIND_REPLACE, //
        },
        drm::file::client_id, //
    },
    vm::{
        self,
        Vm,
        VA_RANGE, //
    }, //
};

/// The most operations in one call.
const MAX_OPS: usize = 4096;

/// Creates a VM.
pub(crate) fn create(
    dev: &Device,
    gpu: &Gpu,
    args: &mut drm_rgt_vm_create,
    file: &File,
) -> Result<u32> {
    let call = Call::new(dev, "VM_CREATE");
    call.reserved(&[("extensions", args.extensions)])?;
    call.flags(args.flags, 0)?;

    let id = file.inner().create_vm(dev, gpu);
    args.vm_id = call.explain(id, ENOSPC, fmt!("vm_id: no address space is free"))?;
    Ok(0)
}

/// Destroys a VM.
pub(crate) fn destroy(
    dev: &Device,
    _: &Gpu,
    args: &mut drm_rgt_vm_destroy,
    file: &File,
) -> Result<u32> {
    Call::new(dev, "VM_DESTROY").reserved(&[("pad", args.pad.into())])?;

    drop(file.inner().remove_vm(args.vm_id)?);
    Ok(0)
}

/// A checked operation.
enum Op {
    Map {
        bo: ARef<Bo>,
        offset: u64,
        va: Range<u64>,
        writable: bool,
        replace: bool,
    },
    Unmap {
        va: Range<u64>,
    },
}

impl Op {
    fn new(call: Call<'_>, vm: &Vm, raw: &drm_rgt_vm_bind_op, file: &File) -> Result<Self> {
        call.reserved(&[("pad", raw.pad.into())])?;
        let va = va_range(call, raw)?;

        match raw.op {
            DRM_RGT_VM_BIND_OP_MAP => {
                call.flags(
                    raw.flags,
                    DRM_RGT_VM_BIND_READONLY | DRM_RGT_VM_BIND_REPLACE,
                )?;
                let bo = lookup(file, raw.handle)?;
                check_part(call, raw, bo.size() as u64)?;
                if bo.private.is_some() && !ptr::eq(bo.resv(), vm.resv()) {
                    let why = fmt!("handle {}: private to another VM", raw.handle);
                    return Err(call.refuse(EINVAL, why));
                }
                Ok(Self::Map {
                    bo,
                    offset: raw.offset,
                    va,
                    writable: raw.flags & DRM_RGT_VM_BIND_READONLY == 0,
                    replace: raw.flags & DRM_RGT_VM_BIND_REPLACE != 0,
                })
            }
            DRM_RGT_VM_BIND_OP_UNMAP => {
                call.flags(raw.flags, 0)?;
                call.reserved(&[("handle", raw.handle.into()), ("offset", raw.offset)])?;
                Ok(Self::Unmap { va })
            }
            op => Err(call.refuse(EINVAL, fmt!("op {op}: unknown"))),
        }
    }

    /// The number of the BO, 0 for none.
    fn bo_id(&self) -> u64 {
        match self {
            Self::Map { bo, .. } => bo.record.id(),
            Self::Unmap { .. } => 0,
        }
    }

    fn run(&self, vm: &Vm, gpu: &Gpu) -> Result {
        match self {
            Self::Map {
                bo,
                offset,
                va,
                writable,
                replace,
            } => vm::map(vm, gpu, bo, *offset, va.clone(), *writable, *replace),
            Self::Unmap { va } => vm::unmap(vm, gpu, va.clone()),
        }
    }
}

fn is_page_aligned(value: u64) -> bool {
    value % PAGE_SIZE as u64 == 0
}

/// Checks which part of a BO of `bo_size` bytes is to be mapped.
fn check_part(call: Call<'_>, raw: &drm_rgt_vm_bind_op, bo_size: u64) -> Result {
    let drm_rgt_vm_bind_op { offset, size, .. } = *raw;

    if !is_page_aligned(offset) {
        let why = fmt!("offset {offset:#x}: not a multiple of {PAGE_SIZE}");
        return Err(call.refuse(EINVAL, why));
    }
    if offset.checked_add(size).is_none_or(|end| end > bo_size) {
        let why = fmt!("offset {offset:#x}: with size {size:#x} past the BO's end {bo_size:#x}");
        return Err(call.refuse(EINVAL, why));
    }
    Ok(())
}

fn va_range(call: Call<'_>, raw: &drm_rgt_vm_bind_op) -> Result<Range<u64>> {
    let drm_rgt_vm_bind_op { addr, size, .. } = *raw;

    if size == 0 || !is_page_aligned(size) {
        let why = fmt!("size {size:#x}: 0 or not a multiple of {PAGE_SIZE}");
        return Err(call.refuse(EINVAL, why));
    }
    if !is_page_aligned(addr) {
        let why = fmt!("addr {addr:#x}: not a multiple of {PAGE_SIZE}");
        return Err(call.refuse(EINVAL, why));
    }
    addr.checked_add(size)
        .map(|end| addr..end)
        .filter(|va| va.start >= VA_RANGE.start && va.end <= VA_RANGE.end)
        .ok_or_else(|| {
            let why = fmt!("addr {addr:#x}: with size {size:#x} not in {VA_RANGE:#x?}");
            call.refuse(EINVAL, why)
        })
}

/// Binds and unbinds addresses of a VM.
pub(crate) fn bind(
    dev: &Device,
    gpu: &Gpu,
    args: &mut drm_rgt_vm_bind,
    file: &File,
) -> Result<u32> {
    let call = Call::new(dev, "VM_BIND");
    call.reserved(&[("extensions", args.extensions)])?;
    call.flags(args.flags, 0)?;
    args.ops_done = 0;
    for (field, count) in [
        ("in_sync_count", args.in_sync_count),
        ("out_sync_count", args.out_sync_count),
    ] {
        if count != 0 {
            let why = fmt!("{field} {count}: not in this version");
            return Err(call.refuse(EOPNOTSUPP, why));
        }
    }
    if args.op_count == 0 {
        return Err(call.refuse(EINVAL, fmt!("op_count 0: there is nothing to do")));
    }
    let vm = file.inner().vm(args.vm_id)?;

    let raw_ops = call.user_array::<drm_rgt_vm_bind_op>("ops", args.ops, args.op_count, MAX_OPS)?;
    let mut ops = KVVec::with_capacity(raw_ops.len(), GFP_KERNEL)?;
    for (index, raw) in raw_ops.iter().enumerate() {
        let op = Op::new(call.entry("ops", index), &vm, raw, file)?;
        ops.push(op, GFP_KERNEL)?;
    }

    for (op, raw) in ops.iter().zip(&raw_ops) {
        let done = op.run(&vm, gpu);
        vm::trace::bound(dev, client_id(file), args.vm_id, raw, op.bo_id(), done);
        done?;
        args.ops_done += 1;
    }
    Ok(0)
}
