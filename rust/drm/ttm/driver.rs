// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The driver's side: its callbacks, and its data of buffer objects.
//!
//! C headers: [`include/drm/ttm/ttm_device.h`](srctree/include/drm/ttm/ttm_device.h),
//! [`include/linux/dma-buf.h`](srctree/include/linux/dma-buf.h)

use kernel::{
    alloc::AllocError,
    drm,
    prelude::*, //
};

use super::{
    Bo,
    Caching,
    DeviceData,
    IoRun,
    Move,
    MoveOutcome,
    Object,
    OperationCtx,
    Place,
    ReleasedBo,
    Reserved,
    Resource, //
};

/// The driver's data of a buffer object.
pub trait DriverBo: Send + Sync + Sized + 'static {
    /// The driver whose objects these are.
    type Driver: Driver<Bo = Self> + Sharing;

    /// Returns an error if the object must not be exported as a dma-buf.
    fn may_export(&self) -> Result {
        Ok(())
    }

    /// Called before a file gets a handle of the BO. With an error it gets none: then this has to
    /// leave no trace.
    ///
    /// A handle that the file gets is closed once. A file can have several of one BO, each of which
    /// is opened. No reservation is held unless the caller of `create_handle()` holds one. For an
    /// import, DRM holds its lock of the file's buffers: this must neither export nor import one
    /// with that file.
    ///
    /// C: `drm_gem_object_funcs::open`.
    fn open(_bo: &Bo<Self>, _file: &FileOf<Self>) -> Result {
        Ok(())
    }

    /// Called when a file loses a handle of the BO that it has got, by itself or when it is closed,
    /// which may be after the device is gone. The BO still has a reference.
    ///
    /// C: `drm_gem_object_funcs::close`.
    fn close(_bo: &Bo<Self>, _file: &FileOf<Self>) {}
}

/// An open file of the device of BOs.
type FileOf<T> = drm::File<<<T as DriverBo>::Driver as drm::Driver>::File>;

/// A DRM driver whose objects are TTM's.
///
/// Equivalent of `struct ttm_device_funcs`. Ghost objects, which TTM makes for pipelined moves,
/// never reach the driver, nor do BOs without references but in the notifications of that.
pub trait Driver:
    drm::Driver<Data = DeviceData<Self>, Object = Object<<Self as Driver>::Bo>> + Sized + 'static
{
    /// The driver's data of a buffer object.
    type Bo: DriverBo<Driver = Self>;

    /// The driver's data of a device.
    type DeviceData: Send + Sync;

    /// Returns how the CPU maps the system pages of the BO with this data. The BO may be one that
    /// is being made.
    fn caching(bo: &Self::Bo) -> Caching;

    /// The driver's data of a BO's system pages, such as their place in a table of the device.
    ///
    /// They are made with the `ttm_tt` of a BO and dropped with it, and go where it goes: when a busy
    /// BO loses its backing, the pages and these stay until the fences have signalled, and the BO
    /// has others by then.
    type TtData: Send + Sync;

    /// Returns the data of the pages that the BO with this data is to get. The BO may be one that is
    /// being made.
    fn tt_data(bo: &Self::Bo) -> Result<Self::TtData, AllocError>;

    /// The pages of these data, which no job uses, are about to be freed. When they are to be backed
    /// up they may stay: what this takes from them they must be given again before a job uses them.
    ///
    /// The BO's reservation is held, or it is being destroyed. May be called when memory is
    /// reclaimed, and for a device that is gone.
    fn tt_unpopulate(_data: &Self::TtData) {}

    /// TTM is about to evict the BO. Returns the places where it may go, in order of preference.
    fn evict_flags(bo: &Reserved<'_, Self::Bo>) -> &'static [Place];

    /// Returns whether evicting the BO helps to make room in `place`, or anywhere in its memory
    /// type when there is none: that is for a cgroup which uses more than it may.
    ///
    /// An implementation should call [`Reserved::intersects()`].
    fn eviction_valuable(bo: &Reserved<'_, Self::Bo>, place: Option<&Place>) -> bool {
        bo.intersects(place)
    }

    /// Moves a BO. A BO that has no resource yet must get one that reads as zeros.
    fn move_bo<'a>(mv: Move<'a, Self::Bo>) -> Result<MoveOutcome<'a>>;

    /// Called when the last reference to the BO is gone. Jobs may still use it.
    fn release_notify(_bo: &ReleasedBo<'_, Self::Bo>) {}

    /// Called when a BO without references is about to lose its memory for good.
    fn delete_notify(_bo: &ReleasedBo<'_, Self::Bo>) {}

    /// Returns how the CPU maps a resource of a type that is not system pages.
    fn io_caching(res: &Resource) -> Caching;

    /// Returns the extent of such a resource that begins with `page`; [`None`] where the CPU does
    /// not see it.
    fn io_mem_run(res: &Resource, page: usize) -> Option<IoRun>;

    /// Brings the BO to where the CPU can map it, before a page fault is served.
    fn prepare_fault(bo: &mut Reserved<'_, Self::Bo>, ctx: &mut OperationCtx) -> Result;

    /// Returns an error if the BO's content is lost, now that no move of it is under way. The error
    /// keeps the CPU from mapping the memory.
    fn check_content(_bo: &Bo<Self::Bo>) -> Result {
        Ok(())
    }
}

/// An importer's access to the exporter's device-local memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PeerAccess {
    /// The importer accesses system pages only.
    None,
    /// The importer accesses system pages, and the CPU-visible part of the exporter's device-local
    /// memory.
    Allowed,
}

/// The callbacks of dma-buf.
pub trait Sharing: Driver {
    /// The BAR of the memory that [`Driver::io_mem_run()`] returns, if other devices may access it.
    /// See [`init_peer_to_peer()`](crate::rust::pci::init_peer_to_peer).
    const PEER_BAR: Option<u32> = None;

    /// Returns an error, such as `EOPNOTSUPP`, if an importer with this access cannot share a BO in
    /// each of the BO's places.
    fn may_share(_bo: &Bo<Self::Bo>, _access: PeerAccess) -> Result {
        Ok(())
    }

    /// Validates a BO to where an importer with this access reaches it. Its move may be under way
    /// when this returns.
    fn prepare_share(
        _bo: &mut Reserved<'_, Self::Bo>,
        _access: PeerAccess,
        _ctx: &mut OperationCtx,
    ) -> Result {
        Err(EOPNOTSUPP)
    }

    /// The memory of an imported BO, which no job uses, goes away: the device must not see it any
    /// more when this returns. May be called when memory is reclaimed, and for a device that is
    /// gone.
    fn invalidate_import(_bo: &mut Reserved<'_, Self::Bo>) {}
}
