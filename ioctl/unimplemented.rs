// SPDX-License-Identifier: GPL-2.0

//! What the uAPI defines and this version of the driver does not implement.

use core::any::type_name;

use kernel::prelude::*;

use super::{
    call::Call,
    Device,
    File, //
};
use crate::{
    hw::Gpu,
    rust::bindings::drm_rgt_vm_bind,
    vm::BindOp, //
};

/// Fails with `EOPNOTSUPP`.
pub(crate) fn unimplemented<A>(dev: &Device, _: &Gpu, _: &mut A, _: &File) -> Result<u32> {
    // The path of the argument's type ends with its name in the uAPI.
    let name = type_name::<A>().rsplit(':').next().unwrap_or_default();

    Err(Call::new(dev, name).refuse(EOPNOTSUPP, fmt!("not in this version")))
}

/// Refuses syncs and bind queues of VM_BIND.
pub(super) fn bind(call: Call<'_>, args: &drm_rgt_vm_bind) -> Result {
    for (field, value) in [
        ("queue_id", args.queue_id),
        ("in_syncs.count", args.in_syncs.count),
        ("out_syncs.count", args.out_syncs.count),
    ] {
        if value != 0 {
            return Err(call.unsupported(fmt!("{field} {value}")));
        }
    }
    Ok(())
}

/// Refuses operations of VM_BIND that are checked and not implemented.
pub(super) fn bind_op(call: Call<'_>, op: &BindOp) -> Result {
    Err(match op {
        BindOp::Map { .. } | BindOp::Unmap { .. } => return Ok(()),
        BindOp::UnmapAll { bo } => call.unsupported(fmt!("op: UNMAP_ALL of BO {}", bo.record.id())),
        BindOp::Null { va, replace } => {
            call.unsupported(fmt!("op: NULL at {va:#x?}, replace {replace}"))
        }
        BindOp::Prefetch { va, region } => {
            call.unsupported(fmt!("op: PREFETCH of {va:#x?} to {region:?}"))
        }
        BindOp::Userptr {
            address,
            va,
            options,
        } => call.unsupported(fmt!("op: USERPTR {address:#x} at {va:#x?}, {options:?}")),
    })
}
