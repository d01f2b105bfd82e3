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
    vm::BindOp, //
};

/// Fails with `EOPNOTSUPP`.
pub(crate) fn unimplemented<A>(dev: &Device, _: &Gpu, _: &mut A, _: &File) -> Result<u32> {
    // The path of the argument's type ends with its name in the uAPI.
    let name = type_name::<A>().rsplit(':').next().unwrap_or_default();

    Err(Call::new(dev, name).refuse(EOPNOTSUPP, fmt!("not in this version")))
}

/// Refuses operations of VM_BIND that are checked and not implemented.
pub(super) fn bind_op(call: Call<'_>, op: &BindOp) -> Result {
    Err(match op {
        BindOp::Map { .. }
        | BindOp::Null { .. }
        | BindOp::Unmap { .. }
        | BindOp::UnmapAll { .. }
        | BindOp::Prefetch { .. } => return Ok(()),
        BindOp::Userptr {
            address,
            va,
            access,
        } => call.unsupported(fmt!("op: USERPTR {address:#x} at {va:#x?}, {access:?}")),
    })
}
