// SPDX-License-Identifier: GPL-2.0

//! The types that all of the driver names: driver, device, and the device's data.
//!
//! Their behaviour is in `driver.rs`, which is imported by the crate root only.

use kernel::{
    drm::{
        self,
        RegistrationGuard, //
    },
    module::this_module,
    prelude::*,
    sync::{
        static_lock_class,
        Arc, //
    }, //
};

use crate::{
    bo::{
        DescribedBytes,
        GpuMappings,
        MoveStats, //
    },
    placement::EvictionPolicy,
    resource_mgr::Managers,
    rust::{
        drm::{
            device::enter,
            gpusvm::MappedPages, //
        },
        mm::total_ram,
        pci::ApertureMap,
        pm::runtime::Power,
        sync::RwSemaphore,
        user_fence::UserFenceQueue,
        workqueue::ReclaimQueue, //
    },
    sched::Queues, //
};

/// The DRM driver.
pub(crate) struct RgtDriver;

/// A DRM device of this driver.
pub(crate) type RgtDevice<Ctx = drm::Normal> = drm::Device<RgtDriver, Ctx>;

/// Keeps a device registered, and its parent bound, until the guard is dropped. `ENODEV` once it is
/// unplugged.
///
/// Unplugging waits for the guard: user memory is not accessed meanwhile, and nothing waited for that
/// may never come.
pub(crate) fn registered(dev: &RgtDevice) -> Result<RegistrationGuard<'_, RgtDriver>> {
    enter(dev).ok_or(ENODEV)
}

/// The data of a DRM device beside its TTM device, which is dropped before.
#[pin_data]
pub(crate) struct RgtData {
    /// The CPU's mapping of visible VRAM.
    pub(crate) vram_map: ApertureMap,
    /// The pages of processes that are mapped for the GPU.
    pub(crate) user_pages: Arc<MappedPages>,
    /// Set if the GPU can access pages of processes: if DMA mappings are not bounced.
    pub(crate) maps_user_pages: bool,
    /// The bytes of all BOs.
    pub(crate) described: Arc<DescribedBytes>,
    /// The eviction policy.
    #[pin]
    pub(crate) eviction_policy: EvictionPolicy,
    /// The mappings of BOs in VMs.
    pub(crate) gpu_mappings: &'static dyn GpuMappings,
    /// The resource managers.
    pub(crate) managers: Managers,
    /// Held by jobs while they look for room for their BOs, to write by one that found none and tries
    /// again alone.
    #[pin]
    pub(crate) validation: RwSemaphore,
    /// Statistics of moves.
    pub(crate) moves: MoveStats,
    /// What may take its time, or cannot be done where fences signal: destroying VMs that have jobs,
    /// giving up BOs.
    pub(crate) workers: ReclaimQueue,
    /// The runtime PM state of the device.
    pub(crate) power: Arc<Power>,
    /// The engines' schedulers; after everything else that may have jobs.
    pub(crate) queues: Queues,
    /// Writes the words of processes that signal the ends of jobs; last, when all have ended.
    pub(crate) user_fences: UserFenceQueue,
}

impl RgtData {
    /// Returns an initializer of the data. `eviction` says whether BOs are evicted by plain LRU, and at
    /// how many MiB/s they come back to VRAM at most.
    pub(crate) fn new(
        managers: Managers,
        gpu_mappings: &'static dyn GpuMappings,
        vram_map: ApertureMap,
        power: Arc<Power>,
        queues: Queues,
        maps_user_pages: bool,
        eviction: (bool, u32),
    ) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            // There may be several times as much as fits.
            described: DescribedBytes::new(4 * (total_ram() + managers.vram.inner().size()))?,
            eviction_policy <- EvictionPolicy::new(
                managers.vram.inner().size(),
                eviction.0,
                eviction.1,
            ),
            gpu_mappings,
            managers,
            vram_map,
            // What is bound twice counts twice, and there may be swap.
            user_pages: MappedPages::new(
                this_module::<crate::LocalModule>(),
                4 * total_ram() as usize,
            )?,
            maps_user_pages,
            validation <- RwSemaphore::new(c"RgtData::validation", static_lock_class!()),
            moves: MoveStats::new(),
            workers: ReclaimQueue::new(c"rust_gpu_ttm")?,
            power,
            queues,
            user_fences: UserFenceQueue::new(
                this_module::<crate::LocalModule>(),
                c"rgt-user-fence",
            )?,
        })
    }
}
