// SPDX-License-Identifier: GPL-2.0

//! The resource managers, without TTM.

mod cursor;
mod gtt;
mod scratchpad;
mod vram;
mod vram_bad;
mod vram_place;
mod vram_spare;
mod vram_zero;

use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};

use crate::{
    resource_mgr::LocalResource,
    rust::drm::ttm::{
        AllocRequest,
        MemType,
        Place,
        PlaceFlags,
        ResourceManager, //
    }, //
};

const PAGE: u64 = PAGE_SIZE as u64;

/// The result of an allocation.
type Allocated<M> = Result<Pin<KBox<<M as ResourceManager>::Resource>>>;

/// Offset in VRAM of a byte of a resource.
fn offset_of(resource: &LocalResource, byte: u64) -> Option<u64> {
    resource.extent_at(byte).map(|extent| extent.offset)
}

fn vram_place(flags: PlaceFlags) -> Place {
    Place::new(MemType::VRAM, flags)
}

/// Allocates pages with an alignment, both in pages.
fn alloc<M: ResourceManager>(
    manager: &M,
    place: Place,
    pages: usize,
    alignment: usize,
) -> Allocated<M> {
    request(
        manager,
        AllocRequest {
            size: pages * PAGE_SIZE,
            alignment: alignment * PAGE_SIZE,
            place: &place,
            zeroed: false,
        },
    )
}

/// Allocates pages for a BO that reads as zeros.
fn alloc_zeroed<M: ResourceManager>(manager: &M, place: Place, pages: usize) -> Allocated<M> {
    request(
        manager,
        AllocRequest {
            size: pages * PAGE_SIZE,
            alignment: PAGE_SIZE,
            place: &place,
            zeroed: true,
        },
    )
}

fn request<M: ResourceManager>(manager: &M, request: AllocRequest<'_>) -> Allocated<M> {
    let resource = KBox::pin_init(manager.alloc(&request), GFP_KERNEL);

    resource
}

/// Returns whether an allocation failed in the way that makes TTM evict and ask again.
fn is_full<T>(result: &Result<T>) -> bool {
    matches!(result, Err(ENOSPC))
}
