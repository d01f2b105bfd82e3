// SPDX-License-Identifier: GPL-2.0

//! CTX_CREATE, CTX_DESTROY.

use kernel::prelude::*;

use super::{
    call::Call,
    Device,
    File, //
};
use crate::{
    hw::Gpu,
    rust::{
        bindings::{
            drm_rgt_ctx_create,
            drm_rgt_ctx_destroy,
            DRM_RGT_CTX_PRIORITY_HIGH,
            DRM_RGT_CTX_PRIORITY_LOW,
            DRM_RGT_CTX_PRIORITY_NORMAL, //
        },
        capability::{
            capable,
            Capability, //
        },
        drm::sched::Priority, //
    }, //
};

/// Creates a context.
pub(crate) fn create(
    dev: &Device,
    _: &Gpu,
    args: &mut drm_rgt_ctx_create,
    file: &File,
) -> Result<u32> {
    let call = Call::new(dev, "CTX_CREATE");
    call.reserved(&[("pad", args.pad.into()), ("extensions", args.extensions)])?;
    call.flags(args.flags, 0)?;

    let priority = match args.priority {
        DRM_RGT_CTX_PRIORITY_LOW => Priority::Low,
        DRM_RGT_CTX_PRIORITY_NORMAL => Priority::Normal,
        DRM_RGT_CTX_PRIORITY_HIGH if capable(Capability::SysNice) => Priority::High,
        DRM_RGT_CTX_PRIORITY_HIGH => return Err(EACCES),
        priority => return Err(call.refuse(EINVAL, fmt!("priority {priority}: unknown"))),
    };
    if dev.queues.iter().all(|queue| queue.engine().is_dead()) {
        return Err(ENODEV);
    }
    let id = file.inner().create_context(dev, priority);
    args.ctx_id = call.explain(
        id,
        ENOSPC,
        fmt!("ctx_id: the client has all contexts it may"),
    )?;
    Ok(0)
}

/// Destroys a context.
pub(crate) fn destroy(
    dev: &Device,
    _: &Gpu,
    args: &mut drm_rgt_ctx_destroy,
    file: &File,
) -> Result<u32> {
    Call::new(dev, "CTX_DESTROY").reserved(&[("pad", args.pad.into())])?;

    drop(file.inner().remove_context(args.ctx_id)?);
    Ok(0)
}
