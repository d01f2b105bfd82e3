// SPDX-License-Identifier: GPL-2.0

//! Resets by the bus, which are announced.

use kernel::sync::atomic::Relaxed;

use super::resetter::{
    DeviceState,
    Resetter, //
};
use crate::rust::{
    dma_fence::SignallingSection,
    pm::runtime::Awake, //
};

impl Resetter {
    /// Prepares for a reset by the bus: jobs in flight wait until it is over, and so do later ones.
    /// `awake` is dropped then. A device that sleeps has lost its configuration, which the bus saves and
    /// restores.
    pub(crate) fn prepare_bus_reset(&self, awake: Option<Awake>) {
        let _section = SignallingSection::begin();
        let mut device = self.device.lock();

        if !device.on_bus {
            device.on_bus = true;
            device.awake = awake;
            if !device.asleep {
                self.pause();
            }
        }
    }

    /// Finishes a reset by the bus, if one was prepared for: the device has its configuration back.
    /// Jobs go on as after any reset of the device.
    pub(crate) fn finish_bus_reset(&self) {
        let _section = SignallingSection::begin();
        let mut device = self.device.lock();

        if core::mem::take(&mut device.on_bus) && !device.asleep {
            self.count.fetch_add(1, Relaxed);
            self.restart();
        }
        device.awake = None;
    }

    /// Gives the device up if a reset was prepared for, or sleep, whose end may not come before the
    /// driver goes. Those that wait for jobs would wait for it.
    pub(crate) fn abandon(&self) {
        let _section = SignallingSection::begin();
        let mut device = self.device.lock();

        let DeviceState { on_bus, asleep, .. } = core::mem::take(&mut *device);
        if on_bus || asleep {
            self.shared.regs.wake();
            self.kill();
        }
    }

    /// Gives the device up, which the bus has lost: all jobs fail, and there are no more.
    pub(crate) fn give_up(&self) {
        let _section = SignallingSection::begin();
        let mut device = self.device.lock();

        *device = DeviceState::default();
        self.shared.regs.wake();
        self.kill();
    }

    /// Returns whether the device answers.
    pub(crate) fn answers(&self) -> bool {
        self.shared.regs.is_present()
    }
}
