// SPDX-License-Identifier: GPL-2.0

//! CTX_CREATE, CTX_DESTROY, CTX_SET_PROPERTY.

use kernel::prelude::*;

use super::{
    call::Call,
    Device,
    File, //
};
use crate::{
    device::registered,
    rust::{
        bindings::{
            drm_rgt_ctx_create,
            drm_rgt_ctx_destroy,
            drm_rgt_ctx_set_property,
            DRM_RGT_CTX_PRIORITY_HIGH,
            DRM_RGT_CTX_PRIORITY_LOW,
            DRM_RGT_CTX_PRIORITY_NORMAL,
            DRM_RGT_CTX_PROPERTY_PRIORITY, //
        },
        capability::{
            capable,
            Capability, //
        },
        drm::sched::Priority, //
    }, //
};

/// Creates a context.
pub(crate) fn create(dev: &Device, args: &mut drm_rgt_ctx_create, file: &File) -> Result<u32> {
    let call = Call::new(dev, "CTX_CREATE");
    call.reserved(&[("pad", args.pad.into()), ("extensions", args.extensions)])?;
    call.flags(args.flags, 0)?;

    let priority = priority(args.priority)?
        .ok_or_else(|| call.refuse(EINVAL, fmt!("priority {}: unknown", args.priority)))?;
    let _registered = registered(dev)?;
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

/// Returns the priority that a client asks for; [`None`] for an unknown one. `EACCES` for one that
/// the client may not have.
fn priority(number: u32) -> Result<Option<Priority>> {
    Ok(Some(match number {
        DRM_RGT_CTX_PRIORITY_LOW => Priority::Low,
        DRM_RGT_CTX_PRIORITY_NORMAL => Priority::Normal,
        DRM_RGT_CTX_PRIORITY_HIGH if capable(Capability::SysNice) => Priority::High,
        DRM_RGT_CTX_PRIORITY_HIGH => return Err(EACCES),
        _ => return Ok(None),
    }))
}

/// Destroys a context.
pub(crate) fn destroy(dev: &Device, args: &mut drm_rgt_ctx_destroy, file: &File) -> Result<u32> {
    Call::new(dev, "CTX_DESTROY").reserved(&[("pad", args.pad.into())])?;

    drop(file.inner().remove_context(args.ctx_id)?);
    Ok(0)
}

/// Changes a property of a context.
pub(crate) fn set_property(
    dev: &Device,
    args: &mut drm_rgt_ctx_set_property,
    file: &File,
) -> Result<u32> {
    let call = Call::new(dev, "CTX_SET_PROPERTY");
    call.reserved(&[("extensions", args.extensions)])?;

    let context = file.inner().context(args.ctx_id)?;
    match args.property {
        DRM_RGT_CTX_PROPERTY_PRIORITY => {
            let unknown = || call.refuse(EINVAL, fmt!("value {:#x}: no priority", args.value));
            let number = args.value.try_into().map_err(|_| unknown())?;

            context.set_priority(priority(number)?.ok_or_else(unknown)?);
        }
        property => return Err(call.refuse(EINVAL, fmt!("property {property}: unknown"))),
    }
    Ok(0)
}
