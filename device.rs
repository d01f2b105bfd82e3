// SPDX-License-Identifier: GPL-2.0

//! The types that all of the driver names: driver, device, and the device's data.
//!
//! Their behaviour is in `driver.rs`, which is imported by the crate root only.

use kernel::{
    drm,
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    }, //
};

use crate::{
    bo::{
        MoveStats,
        Windows, //
    },
    placement::Arbiter,
    resource_mgr::{
        Gtt,
        Managers,
        Scratchpad,
        Vram, //
    },
    rust::{
        drm::ttm::{
            self,
            Manager, //
        },
        pci::ApertureMap, //
    },
    sched::Queues,
    vm::Closing, //
};

/// The DRM driver.
pub(crate) struct RgtDriver;

/// A DRM device of this driver.
pub(crate) type RgtDevice<Ctx = drm::Normal> = drm::Device<RgtDriver, Ctx>;

/// The data of a DRM device, which lives as long as there is a reference to the device.
#[pin_data]
pub(crate) struct RgtData {
    /// The TTM device; first, to be dropped before what its callbacks use.
    #[pin]
    pub(crate) ttm: ttm::Device<RgtDriver>,
    /// The VRAM manager.
    pub(crate) vram: Arc<Manager<Vram>>,
    /// The CPU's mapping of visible VRAM.
    pub(crate) vram_map: ApertureMap,
    /// The GTT manager.
    pub(crate) gtt: Arc<Manager<Gtt>>,
    /// The eviction policy and its state.
    #[pin]
    pub(crate) arbiter: Arbiter,
    /// The scratchpad's manager, if there is one.
    pub(crate) scratchpad: Option<Arc<Manager<Scratchpad>>>,
    /// Taken by a job that did not find room for its BOs, to try again alone.
    #[pin]
    pub(crate) validation: Mutex<()>,
    /// The GART windows of the copy engines.
    #[pin]
    pub(crate) windows: Windows,
    /// Statistics of moves.
    pub(crate) moves: MoveStats,
    /// Destroyed VMs that still have jobs.
    pub(crate) closing: Closing,
    /// The engines' schedulers; last, as everything else may have jobs.
    pub(crate) queues: Queues,
}

impl RgtData {
    /// Returns an initializer of the data. BOs come back to VRAM at `moveback_mbps` MiB/s at most.
    pub(crate) fn new(
        managers: Managers,
        vram_map: ApertureMap,
        queues: Queues,
        plain_lru: bool,
        moveback_mbps: u32,
    ) -> impl PinInit<Self, Error> {
        let Managers {
            vram,
            gtt,
            scratchpad,
        } = managers;

        try_pin_init!(Self {
            ttm <- ttm::Device::new(),
            arbiter <- Arbiter::new(
                vram.inner().size(),
                plain_lru,
                moveback_mbps,
            ),
            vram,
            vram_map,
            gtt,
            scratchpad,
            validation <- new_mutex!((), "RgtData::validation"),
            moves: MoveStats::new(),
            closing: Closing::new()?,
            windows <- Windows::new(),
            queues,
        })
    }
}
