// SPDX-License-Identifier: GPL-2.0

//! The TTM places of a BO.

use super::object::{
    Bo,
    BoData,
    Reserved, //
};
use crate::{
    device::RgtDevice,
    placement::{
        Accessor,
        Places,
        Room, //
    },
    rust::drm::ttm::Manager, //
};

/// Returns whether there is any place where an accessor reaches a BO.
pub(crate) fn is_reachable(bo: &Bo, accessor: Accessor) -> bool {
    !places(bo.device(), bo, bo.size(), accessor)
        .as_slice()
        .is_empty()
}

/// Returns the places where jobs reach a BO. It is in pages where other devices share it so.
pub(super) fn gpu_places(bo: &mut Reserved<'_>) -> Places {
    let accessor = if bo.request.allows_gtt() && bo.is_shared_as_pages() {
        Accessor::NonPeer
    } else {
        Accessor::Gpu
    };
    places(bo.device(), bo.bo(), bo.size(), accessor)
}

/// Returns the places where an accessor reaches a BO of `size` bytes.
pub(super) fn places(dev: &RgtDevice, data: &BoData, size: usize, accessor: Accessor) -> Places {
    let room = Room {
        vram: dev.managers.vram.inner(),
        gtt: dev.managers.gtt.inner(),
        scratchpad: dev.managers.scratchpad.as_deref().map(Manager::inner),
    };

    data.request
        .places(accessor, &room, size, data.alignment as usize)
}
