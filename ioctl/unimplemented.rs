// SPDX-License-Identifier: GPL-2.0

//! What the uAPI defines and this version of the driver does not implement.

use kernel::prelude::*;

use super::call::Call;
use crate::vm::BindOp;

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
