// SPDX-License-Identifier: GPL-2.0

//! Export: BOs that other devices use.

use kernel::prelude::*;

use crate::{
    bo::{
        invalidate_mappings,
        is_reachable,
        validate,
        Bo,
        Reserved, //
    },
    device::RgtDriver,
    hw::abi,
    placement::Accessor,
    rust::drm::{
        print::drm_dbg,
        ttm::{
            self,
            OperationCtx,
            PeerAccess,
            Resource, //
        }, //
    }, //
};

/// Returns the accessor that another device is.
fn accessor(access: PeerAccess) -> Accessor {
    match access {
        PeerAccess::None => Accessor::NonPeer,
        PeerAccess::Allowed => Accessor::Peer,
    }
}

/// Returns whether it may take this device to bring a BO to where another one reaches it. Pages stay
/// pages for a device that reaches nothing else.
fn needs_device(bo: &Reserved<'_>, access: PeerAccess) -> bool {
    let in_pages = bo.resource().is_none_or(Resource::uses_tt);

    bo.request.allows_local() && (access == PeerAccess::Allowed || !in_pages)
}

impl ttm::Sharing for RgtDriver {
    const PEER_BAR: Option<u32> = Some(abi::pci::BAR_VRAM);

    /// `EOPNOTSUPP` if the BO may be in no place where the device reaches it.
    fn may_share(bo: &Bo, access: PeerAccess) -> Result {
        if !is_reachable(bo, accessor(access)) {
            drm_dbg!(
                bo.device(),
                "BO {}: placement {:#x}: no place for {:?}\n",
                bo.record.id(),
                bo.request.mask(),
                accessor(access)
            );
            return Err(EOPNOTSUPP);
        }
        Ok(())
    }

    fn prepare_share(bo: &mut Reserved<'_>, access: PeerAccess, ctx: &mut OperationCtx) -> Result {
        let _awake = match needs_device(bo, access) {
            true => Some(bo.bo().device().power.resume_and_get()?),
            false => None,
        };
        validate(bo, accessor(access), ctx)
    }

    fn invalidate_import(bo: &mut Reserved<'_>) {
        invalidate_mappings(bo);
    }
}
