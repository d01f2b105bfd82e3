// SPDX-License-Identifier: GPL-2.0

//! Sleep of the device, in which it loses its state.

use kernel::prelude::*;

use super::resetter::Resetter;
use crate::rust::dma_fence::SignallingSection;

impl Resetter {
    /// Prepares the device, whose engines are idle, for sleep. Later jobs wait until it is over, and
    /// nothing touches the device before.
    ///
    /// `EBUSY` if an engine has a job, or the bus resets the device.
    pub(crate) fn sleep(&self) -> Result {
        self.pause_idle()?;
        self.shared.regs.sleep();
        Ok(())
    }

    fn pause_idle(&self) -> Result {
        let _section = SignallingSection::begin();
        let mut device = self.device.lock();
        if device.is_away() {
            return Err(EBUSY);
        }

        for (count, engine) in self.engines.iter().enumerate() {
            if !engine.pause_if_idle() {
                self.engines[..count]
                    .iter()
                    .for_each(|engine| engine.wake());
                return Err(EBUSY);
            }
        }
        device.asleep = true;
        Ok(())
    }

    /// Uses the device again after its sleep. No BO was in its memory meanwhile.
    pub(crate) fn wake(&self) {
        let _section = SignallingSection::begin();
        let mut device = self.device.lock();
        if !core::mem::take(&mut device.asleep) {
            return;
        }
        self.shared.regs.wake();
        // The end of a reset by the bus, if one is under way, does what follows.
        if device.on_bus {
            return;
        }

        if !self.reset() {
            self.kill();
            return;
        }
        self.shared.vram.lose_zeros();
        self.restore();
        self.engines.iter().for_each(|engine| engine.wake());
    }
}
