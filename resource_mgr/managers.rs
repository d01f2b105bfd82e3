// SPDX-License-Identifier: GPL-2.0

//! All managers of a device.

use kernel::{
    prelude::*,
    sync::Arc, //
};

use super::{
    Gtt,
    Scratchpad,
    Vram,
    SCRATCHPAD, //
};
use crate::{
    hw::Gpu,
    rust::drm::ttm::{
        Attach,
        IoRegion,
        Manager,
        MemType,
        ResourceManager, //
    }, //
};

/// The resource managers of a device.
#[derive(Clone)]
pub(crate) struct Managers {
    /// VRAM.
    pub(crate) vram: Arc<Manager<Vram>>,
    /// GTT.
    pub(crate) gtt: Arc<Manager<Gtt>>,
    /// The scratchpad, if the device has one.
    pub(crate) scratchpad: Option<Arc<Manager<Scratchpad>>>,
}

impl Managers {
    /// Creates the managers of a GPU whose VRAM the CPU sees in `window`, with at most `gtt_limit`
    /// bytes in GTT.
    pub(crate) fn new(gpu: &Gpu, window: IoRegion, gtt_limit: u64) -> Result<Self> {
        let info = gpu.info();
        let generation = gpu.vram_generation();
        let scratchpad = match info.scratchpad_size {
            0 => None,
            size => Some(manager(Scratchpad::new(size)?.with_generation(generation))?),
        };

        Ok(Self {
            vram: manager(
                Vram::new(info.vram_size, info.cpu_visible_size, window)?
                    .with_reserved(info.table_memory)?
                    .with_generation(generation),
            )?,
            gtt: manager(Gtt::new(gtt_limit)?)?,
            scratchpad,
        })
    }

    /// Returns the size of a region in bytes. Memory that the GPU does not see has no limit.
    pub(crate) fn size(&self, mem_type: MemType) -> u64 {
        match mem_type {
            MemType::VRAM => self.vram.inner().size(),
            MemType::TT => self.gtt.inner().limit(),
            SCRATCHPAD => self.scratchpad.as_ref().map_or(0, |it| it.inner().size()),
            _ => u64::MAX,
        }
    }

    /// Returns the free bytes of a region.
    pub(crate) fn free(&self, mem_type: MemType) -> u64 {
        let used = match mem_type {
            MemType::VRAM => self.vram.usage(),
            MemType::TT => self.gtt.usage(),
            SCRATCHPAD => self.scratchpad.as_ref().map_or(0, |it| it.usage()),
            _ => 0,
        };
        self.size(mem_type).saturating_sub(used)
    }

    /// Returns memory type, size and manager of each, to be attached to the TTM device.
    pub(crate) fn attach(self) -> impl Iterator<Item = (MemType, u64, Attach)> {
        let (vram_size, gtt_size) = (self.vram.inner().size(), self.gtt.inner().limit());
        let scratchpad = self.scratchpad.map(|scratchpad| {
            let size = scratchpad.inner().size();

            (SCRATCHPAD, size, scratchpad.into())
        });

        let vram = Attach::from(self.vram).with_dmem_region(c"vram");

        [
            Some((MemType::VRAM, vram_size, vram)),
            Some((MemType::TT, gtt_size, self.gtt.into())),
            scratchpad,
        ]
        .into_iter()
        .flatten()
    }
}

fn manager<M: ResourceManager>(inner: M) -> Result<Arc<Manager<M>>> {
    Arc::pin_init(Manager::new(Ok::<_, Error>(inner)), GFP_KERNEL)
}
