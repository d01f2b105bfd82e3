// SPDX-License-Identifier: GPL-2.0 OR MIT

//! TTM, the memory manager for GPUs with memory of their own.
//!
//! A driver implements [`Driver`] for its DRM driver type and [`DriverBo`] for the data of its
//! buffer objects, has [`DeviceData`] for its DRM device's data, and registers a
//! [`ResourceManager`] for each memory type that it has.
//!
//! The reservation lock of a buffer object is a type: what C documents as "the BO must be reserved"
//! is a method of [`Reserved`], which is only to be had from a lock.
//!
//! C headers: [`include/drm/ttm/`](srctree/include/drm/ttm/)

mod all_bos;
pub mod backup;
mod bo;
mod bos;
mod bulk;
mod bulk_bos;
mod create;
mod deletions;
mod device;
mod dma_mappings;
mod dmem;
mod driver;
mod evict_all;
mod export;
mod fault;
mod flush;
mod funcs;
mod handles;
mod hibernation;
mod import;
mod init;
mod kernel_bo;
mod lru;
mod manager;
mod mappings;
mod memcpy;
mod mv;
mod pinned;
mod placement;
mod pool;
mod released;
mod resource;
mod tt;
mod unmap;
mod vmap;
mod walk;

pub use crate::rust::io::{
    IoRegion,
    IoRun, //
};

pub use self::{
    bo::{
        Bo,
        BoInit,
        Object,
        OperationCtx,
        ReserveGuard,
        Reserved, //
    },
    bulk::BulkMove,
    device::{
        AllocFlags,
        Device,
        DeviceData, //
    },
    dma_mappings::DmaMappings,
    driver::{
        Driver,
        DriverBo,
        PeerAccess,
        Sharing, //
    },
    init::Attach,
    kernel_bo::KernelBo,
    lru::Priority,
    manager::{
        AllocRequest,
        Manager,
        ResourceManager, //
    },
    mv::{
        Move,
        MoveOutcome,
        Moved, //
    },
    pinned::Pinned,
    placement::{
        MemType,
        Place,
        PlaceFlags,
        Placement, //
    },
    released::ReleasedBo,
    resource::Resource,
    tt::{
        Caching,
        Tt, //
    },
    vmap::Vmap,
    walk::{
        LruBo,
        LruWalk, //
    },
};
