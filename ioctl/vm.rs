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
    flags,
    gem::lookup,
    reserved,
    user_array,
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
    reserved(&[args.extensions])?;
    flags(args.flags, 0)?;

    args.vm_id = file.inner().create_vm(dev, gpu)?;
    Ok(0)
}

/// Destroys a VM.
pub(crate) fn destroy(
    _: &Device,
    _: &Gpu,
    args: &mut drm_rgt_vm_destroy,
    file: &File,
) -> Result<u32> {
    reserved(&[args.pad.into()])?;

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
    fn new(vm: &Vm, raw: &drm_rgt_vm_bind_op, file: &File) -> Result<Self> {
        reserved(&[raw.pad.into()])?;
        let va = va_range(raw)?;

        match raw.op {
            DRM_RGT_VM_BIND_OP_MAP => {
                flags(
                    raw.flags,
                    DRM_RGT_VM_BIND_READONLY | DRM_RGT_VM_BIND_REPLACE,
                )?;
                let bo = lookup(file, raw.handle)?;
                if !is_page_aligned(raw.offset)
                    || raw
                        .offset
                        .checked_add(raw.size)
                        .is_none_or(|end| end > bo.size() as u64)
                    || bo.private.is_some() && !ptr::eq(bo.resv(), vm.resv())
                {
                    return Err(EINVAL);
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
                flags(raw.flags, 0)?;
                reserved(&[raw.handle.into(), raw.offset])?;
                Ok(Self::Unmap { va })
            }
            _ => Err(EINVAL),
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

fn va_range(raw: &drm_rgt_vm_bind_op) -> Result<Range<u64>> {
    let end = raw.addr.checked_add(raw.size).ok_or(EINVAL)?;

    if raw.size == 0
        || !is_page_aligned(raw.addr)
        || !is_page_aligned(raw.size)
        || raw.addr < VA_RANGE.start
        || end > VA_RANGE.end
    {
        return Err(EINVAL);
    }
    Ok(raw.addr..end)
}

/// Binds and unbinds addresses of a VM.
pub(crate) fn bind(
    dev: &Device,
    gpu: &Gpu,
    args: &mut drm_rgt_vm_bind,
    file: &File,
) -> Result<u32> {
    reserved(&[args.extensions])?;
    flags(args.flags, 0)?;
    args.ops_done = 0;
    if args.in_sync_count != 0 || args.out_sync_count != 0 {
        return Err(EOPNOTSUPP);
    }
    if args.op_count == 0 {
        return Err(EINVAL);
    }
    let vm = file.inner().vm(args.vm_id)?;

    let raw_ops = user_array::<drm_rgt_vm_bind_op>(args.ops, args.op_count, MAX_OPS)?;
    let mut ops = KVVec::with_capacity(raw_ops.len(), GFP_KERNEL)?;
    for raw in &raw_ops {
        ops.push(Op::new(&vm, raw, file)?, GFP_KERNEL)?;
    }

    for (op, raw) in ops.iter().zip(&raw_ops) {
        let done = op.run(&vm, gpu);
        vm::trace::bound(dev, client_id(file), args.vm_id, raw, op.bo_id(), done);
        done?;
        args.ops_done += 1;
    }
    Ok(0)
}
