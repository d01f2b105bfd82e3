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
    sync,
    Device,
    File, //
};
use crate::{
    bo::Bo,
    device::registered,
    resource_mgr::REGIONS,
    rust::{
        bindings::{
            drm_rgt_bind_queue_create,
            drm_rgt_bind_queue_destroy,
            drm_rgt_vm_bind,
            drm_rgt_vm_bind_op,
            drm_rgt_vm_create,
            drm_rgt_vm_destroy,
            DRM_RGT_VM_BIND_OP_MAP,
            DRM_RGT_VM_BIND_OP_NULL,
            DRM_RGT_VM_BIND_OP_PREFETCH,
            DRM_RGT_VM_BIND_OP_UNMAP,
            DRM_RGT_VM_BIND_OP_UNMAP_ALL,
            DRM_RGT_VM_BIND_OP_USERPTR,
            DRM_RGT_VM_BIND_READONLY, //
        },
        drm::file::client_id, //
    },
    vm::{
        self,
        Access,
        BindOp,
        Vm,
        MAX_BIND_QUEUES,
        VA_RANGE, //
    }, //
};

/// The most operations in one call.
pub(super) const MAX_OPS: usize = 4096;

/// Creates a VM.
pub(crate) fn create(dev: &Device, args: &mut drm_rgt_vm_create, file: &File) -> Result<u32> {
    let call = Call::new(dev, "VM_CREATE");
    call.reserved(&[("extensions", args.extensions)])?;
    call.flags(args.flags, 0)?;

    args.vm_id = registered(dev)?.registration_data_with(|gpu| file.inner().create_vm(dev, gpu))?;
    Ok(0)
}

/// Destroys a VM.
pub(crate) fn destroy(dev: &Device, args: &mut drm_rgt_vm_destroy, file: &File) -> Result<u32> {
    Call::new(dev, "VM_DESTROY").reserved(&[("pad", args.pad.into())])?;

    drop(file.inner().remove_vm(args.vm_id)?);
    Ok(0)
}

/// Creates a bind queue.
pub(crate) fn create_queue(
    dev: &Device,
    args: &mut drm_rgt_bind_queue_create,
    file: &File,
) -> Result<u32> {
    let call = Call::new(dev, "BIND_QUEUE_CREATE");
    call.reserved(&[("extensions", args.extensions), ("pad", args.pad.into())])?;
    call.flags(args.flags, 0)?;

    let _registered = registered(dev)?;
    let id = file.inner().create_bind_queue(dev, args.vm_id);
    let why = fmt!("vm_id {}: it has {MAX_BIND_QUEUES} bind queues", args.vm_id);
    args.queue_id = call.explain(id, ENOSPC, why)?;
    Ok(0)
}

/// Destroys a bind queue.
pub(crate) fn destroy_queue(
    dev: &Device,
    args: &mut drm_rgt_bind_queue_destroy,
    file: &File,
) -> Result<u32> {
    let queue = file.inner().remove_bind_queue(args.vm_id, args.queue_id)?;

    // This waits until the last bind's turn has come. Without memory for the work it is done here, and
    // where work is not waited for any more.
    if let Ok(_registered) = registered(dev) {
        let _ = dev.workers.try_spawn(GFP_KERNEL, move || drop(queue));
    }
    Ok(0)
}

/// Checks an operation.
fn bind_op(
    dev: &Device,
    call: Call<'_>,
    vm: &Vm,
    raw: &drm_rgt_vm_bind_op,
    file: &File,
) -> Result<BindOp> {
    match raw.op {
        DRM_RGT_VM_BIND_OP_MAP => {
            call.reserved(&[("region", raw.region.into())])?;
            let va = va_range(call, raw)?;
            let access = access(call, raw)?;
            let bo = bindable(call, vm, raw, file)?;
            check_part(call, raw, bo.size() as u64)?;
            Ok(BindOp::Map {
                bo,
                offset: raw.offset,
                va,
                access,
            })
        }
        DRM_RGT_VM_BIND_OP_UNMAP => {
            call.flags(raw.flags, 0)?;
            call.reserved(&[
                ("handle", raw.handle.into()),
                ("region", raw.region.into()),
                ("offset", raw.offset),
            ])?;
            Ok(BindOp::Unmap {
                va: va_range(call, raw)?,
            })
        }
        DRM_RGT_VM_BIND_OP_UNMAP_ALL => {
            call.flags(raw.flags, 0)?;
            call.reserved(&[
                ("region", raw.region.into()),
                ("offset", raw.offset),
                ("addr", raw.addr),
                ("size", raw.size),
            ])?;
            Ok(BindOp::UnmapAll {
                bo: bindable(call, vm, raw, file)?,
            })
        }
        DRM_RGT_VM_BIND_OP_NULL => {
            call.flags(raw.flags, 0)?;
            call.reserved(&[
                ("handle", raw.handle.into()),
                ("region", raw.region.into()),
                ("offset", raw.offset),
            ])?;
            Ok(BindOp::Null {
                va: va_range(call, raw)?,
            })
        }
        DRM_RGT_VM_BIND_OP_PREFETCH => {
            call.flags(raw.flags, 0)?;
            call.reserved(&[("handle", raw.handle.into()), ("offset", raw.offset)])?;
            let region = REGIONS
                .iter()
                .map(|(mem_type, _)| *mem_type)
                .find(|mem_type| mem_type.as_raw() == raw.region)
                .ok_or_else(|| call.refuse(EINVAL, fmt!("region {}: unknown", raw.region)))?;
            Ok(BindOp::Prefetch {
                va: va_range(call, raw)?,
                region,
            })
        }
        DRM_RGT_VM_BIND_OP_USERPTR => {
            call.reserved(&[("handle", raw.handle.into()), ("region", raw.region.into())])?;
            let va = va_range(call, raw)?;
            let access = access(call, raw)?;
            check_part(call, raw, u64::MAX)?;
            if !dev.maps_user_pages {
                let why = fmt!("op USERPTR: DMA mappings may be bounce buffers here");
                return Err(call.refuse(EOPNOTSUPP, why));
            }
            Ok(BindOp::Userptr {
                address: raw.offset,
                va,
                access,
            })
        }
        op => Err(call.refuse(EINVAL, fmt!("op {op}: unknown"))),
    }
}

/// Returns how a mapping may be accessed.
fn access(call: Call<'_>, raw: &drm_rgt_vm_bind_op) -> Result<Access> {
    call.flags(raw.flags, DRM_RGT_VM_BIND_READONLY)?;
    Ok(if raw.flags & DRM_RGT_VM_BIND_READONLY == 0 {
        Access::Write
    } else {
        Access::Read
    })
}

/// Returns the BO of an operation. `EINVAL` for one that is private to another VM.
fn bindable(call: Call<'_>, vm: &Vm, raw: &drm_rgt_vm_bind_op, file: &File) -> Result<ARef<Bo>> {
    let bo = lookup(file, raw.handle)?;
    if bo.private.is_some() && !ptr::eq(bo.resv(), vm.resv()) {
        let why = fmt!("handle {}: private to another VM", raw.handle);
        return Err(call.refuse(EINVAL, why));
    }
    Ok(bo)
}

fn is_page_aligned(value: u64) -> bool {
    value % PAGE_SIZE as u64 == 0
}

/// Checks which part of `len` bytes, those of a BO, is to be mapped.
fn check_part(call: Call<'_>, raw: &drm_rgt_vm_bind_op, len: u64) -> Result {
    let drm_rgt_vm_bind_op { offset, size, .. } = *raw;

    if !is_page_aligned(offset) {
        let why = fmt!("offset {offset:#x}: not a multiple of {PAGE_SIZE}");
        return Err(call.refuse(EINVAL, why));
    }
    if offset.checked_add(size).is_none_or(|end| end > len) {
        let why = fmt!("offset {offset:#x}: with size {size:#x} past the end {len:#x}");
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
pub(crate) fn bind(dev: &Device, args: &mut drm_rgt_vm_bind, file: &File) -> Result<u32> {
    let call = Call::new(dev, "VM_BIND");
    call.reserved(&[("extensions", args.extensions)])?;
    call.flags(args.flags, 0)?;
    call.reserved(&[("pad", args.pad.into())])?;
    let vm = file.inner().vm(args.vm_id)?;
    let queue = file.inner().bind_queue(args.vm_id, args.queue_id)?;
    let entries = call.array::<drm_rgt_vm_bind_op>("ops", &args.ops, MAX_OPS)?;
    if entries.len() == 0 {
        return Err(call.refuse(EINVAL, fmt!("ops.count 0: there is nothing to do")));
    }

    let mut raw_ops = KVVec::with_capacity(entries.len(), GFP_KERNEL)?;
    let mut ops = KVVec::with_capacity(entries.len(), GFP_KERNEL)?;
    for entry in entries {
        let (call, raw) = entry?;
        let op = bind_op(dev, call, &vm, &raw, file)?;
        raw_ops.push(raw, GFP_KERNEL)?;
        ops.push(op, GFP_KERNEL)?;
    }

    let in_syncs = sync::in_syncs(call, file, &args.in_syncs)?;
    let out_syncs = sync::out_syncs(call, file, &args.out_syncs)?;

    let done = vm::bind(dev, &vm, &queue, &ops, in_syncs, out_syncs);
    for (op, raw) in ops.iter().zip(&raw_ops) {
        let bo_id = op.bo().map_or(0, |bo| bo.record.id());
        vm::trace::bound(dev, client_id(file), args.vm_id, raw, bo_id, done);
    }
    done?;
    Ok(0)
}
