// SPDX-License-Identifier: GPL-2.0

//! Who changes what only the driver and the device should change.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, Result};
use rgt::Mapping;
use rgt::abi::{limits, pci, pte, regs};

use crate::harness::Control;
use crate::rig::{Dice, PAGE};

/// Where something changes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Registers,
    /// Memory of the device, of the page tables if some are found.
    Vram,
    Configuration,
    /// The vfio-user messages from QEMU to softgpu.
    Messages,
}

/// The command register of the configuration space, its BARs, and the PMCSR of the power management
/// capability, which is the first one.
const COMMAND: u32 = 0x04;
const BARS: u32 = 0x10;
const PMCSR: u32 = 0x44;

/// The PMCSR, the BARs and the command register of the configuration space.
///
/// The kernel and QEMU each know what they have written, and write no more if the device says the same
/// already: a command for a device that is thought to be enabled, a wake-up of one that has not heard
/// that it is to sleep. What the kernel saves before a sleep is what it reads then.
pub(super) struct Header {
    configuration: File,
    words: Vec<(u32, Vec<u8>)>,
}

impl Header {
    /// Where they are, and how long.
    const WORDS: [(u32, usize); 3] = [(PMCSR, 2), (BARS, 24), (COMMAND, 2)];

    /// Reads it.
    pub(super) fn of(directory: &Path) -> Result<Self> {
        let configuration = configuration(directory)?;
        let read = |(at, len)| {
            let mut word = vec![0; len];
            configuration.read_exact_at(&mut word, u64::from(at))?;
            Ok((at, word))
        };
        Ok(Self {
            words: Self::WORDS.map(read).into_iter().collect::<Result<_>>()?,
            configuration,
        })
    }

    /// Writes it as it was. The device must have no driver.
    pub(super) fn restore(&self) -> Result<()> {
        for (at, word) in &self.words {
            self.configuration.write_all_at(word, (*at).into())?;
        }
        Ok(())
    }
}

fn configuration(directory: &Path) -> Result<File> {
    let mut options = File::options();
    Ok(options
        .read(true)
        .write(true)
        .open(directory.join("config"))?)
}

/// Changes a device, by its folder in sysfs, and what it is told.
pub(super) struct Meddler {
    registers: Mapping,
    vram: Mapping,
    configuration: File,
    control: Control,
    dice: Dice,
}

impl Meddler {
    pub(super) fn new(directory: &Path, seed: u32) -> Result<Self> {
        Ok(Self {
            registers: map_bar(directory, pci::BAR_REGS)?,
            vram: map_bar(directory, pci::BAR_VRAM)?,
            configuration: configuration(directory)?,
            control: Control::open()?,
            dice: Dice::new(seed),
        })
    }

    /// Changes one thing.
    pub(super) fn change(&mut self, places: &[Place]) -> Result<()> {
        match places[self.dice.below(places.len() as u32) as usize] {
            Place::Registers => self.register(),
            Place::Vram => self.memory(),
            Place::Configuration => self.configuration()?,
            Place::Messages => self.messages()?,
        }
        Ok(())
    }

    fn register(&mut self) {
        let engine = self.dice.below(limits::MAX_ENGINES) as usize;
        let space = self.dice.below(limits::ADDRESS_SPACES) as usize;
        let register = 4 * self.dice.below(12) as usize;
        let at = match self.dice.below(8) {
            0 => 4 * self.dice.below(0x100) as usize,
            1 => regs::AS_BASE + space * regs::AS_STRIDE + register % regs::AS_STRIDE,
            2 => regs::DOORBELL + 4 * engine,
            // Not where messages of interrupts go: they could stop the machine.
            3 => 4 * self.dice.below(pci::MSIX_TABLE / 4) as usize,
            _ => regs::ENGINE_BASE + engine * regs::ENGINE_STRIDE + register,
        };
        let value = match self.dice.below(5) {
            0 => self.registers.read(at) ^ 1 << self.dice.below(32),
            1 => 4 * self.dice.below(1024),
            2 => self.dice.below(16),
            3 => regs::RESET_MAGIC,
            _ => self.dice.roll(),
        };
        self.registers.write(at, value);
    }

    fn messages(&mut self) -> Result<()> {
        let rate = 1 + self.dice.below(16);
        self.control.send(&format!("garble 0 {rate}"))
    }

    /// Returns how many messages have come garbled so far.
    pub(super) fn garbled(&mut self) -> Result<u64> {
        let garbled = self.control.counters("garbled")?;
        garbled.first().copied().context("softgpu does not say")
    }

    fn memory(&mut self) {
        let pages = (self.vram.len() / PAGE as usize) as u32;
        let any_of = |vram: &Mapping, dice: &mut Dice| {
            let entry = 8 * dice.below(pte::ENTRIES as u32) as usize;
            let at = PAGE as usize * dice.below(pages) as usize + entry;
            (at, vram.read(at))
        };
        const TRIES: usize = 256;
        let mut found = (0..TRIES).map(|_| any_of(&self.vram, &mut self.dice));
        let is_entry = |&(_, low): &(usize, u32)| u64::from(low) & pte::VALID != 0;
        let found = found.find(is_entry);
        let (at, low) = found.unwrap_or_else(|| any_of(&self.vram, &mut self.dice));
        let value = match self.dice.below(3) {
            0 => low ^ 1 << self.dice.below(32),
            1 => low ^ (self.dice.below(64) << 12),
            _ => self.dice.roll(),
        };
        self.vram.write(at, value);
    }

    fn configuration(&mut self) -> Result<()> {
        /// The first capability. What is before it but the command says where the device is.
        const CAPABILITIES: u32 = 0x40;
        const SIZE: u32 = 0x1000;
        let at = match self.dice.below(4) {
            0 => COMMAND,
            1 => 4 * self.dice.below(SIZE / 4).max(CAPABILITIES / 4),
            _ => CAPABILITIES + 4 * self.dice.below((0x100 - CAPABILITIES) / 4),
        };
        let mut word = [0; 4];
        self.configuration.read_exact_at(&mut word, at.into())?;
        let changed = u32::from_le_bytes(word) ^ 1 << self.dice.below(32);
        Ok(self
            .configuration
            .write_all_at(&changed.to_le_bytes(), at.into())?)
    }
}

impl Drop for Meddler {
    fn drop(&mut self) {
        // If that is not possible the driver will say so.
        let _ = self.control.send("garble 0 0");
    }
}

/// Maps a BAR, by sysfs.
fn map_bar(directory: &Path, number: u32) -> Result<Mapping> {
    let path = directory.join(format!("resource{number}"));
    let file = File::options().read(true).write(true).open(&path);
    let file = file.with_context(|| path.display().to_string())?;
    let len = file.metadata()?.len() as usize;
    Ok(Mapping::new(&file, 0, len)?)
}
