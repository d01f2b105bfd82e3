// SPDX-License-Identifier: GPL-2.0

//! Properties of the device.

use kernel::{
    device::{
        Bound,
        Device, //
    },
    pci,
    prelude::*, //
};

use super::{
    abi::{
        feature,
        limits,
        pte::{
            BLOCK_2M,
            BLOCK_64K_SIZE, //
        },
        regs::*, //
    },
    regs::Regs, //
};
use crate::rust::pci::enable_atomics_to_root;

/// Optional units that the driver requires.
const NEEDED: u32 = feature::TLB_SEQNO | feature::LARGE_SPARSE;

/// The share of VRAM that is for page tables. They map four times as much as VRAM in pages of 4 KiB.
const TABLE_SHARE: u64 = 128;

/// The properties of a device.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Info {
    /// Major revision in bits 31:16, minor in 15:0.
    pub(crate) revision: u32,
    /// Whether engines can do atomics in device-local memory.
    pub(crate) atomics: bool,
    /// Whether engines can do atomics in system memory.
    pub(crate) system_atomics: bool,
    /// Whether the device reports pages of VRAM that went bad.
    pub(crate) reports_bad_pages: bool,
    /// Size of VRAM in bytes, a multiple of 2 MiB.
    pub(crate) vram_size: u64,
    /// Bytes of VRAM, from its start, that the CPU can see.
    pub(crate) cpu_visible_size: u64,
    /// Bytes of VRAM, from its start, for page tables: whole blocks of 64 KiB, which the CPU can see.
    pub(crate) table_memory: u64,
    /// Size of the scratchpad in bytes, whole pages; 0 if there is none.
    pub(crate) scratchpad_size: u64,
    /// Ticks a second of the GPU's clock; 0 if there is none.
    pub(crate) timestamp_hz: u32,
    /// Number of engines.
    pub(crate) engines: u32,
}

impl Info {
    /// Reads the properties of a device. [`ENODEV`], with a message, for one that the driver does
    /// not support.
    pub(super) fn read(pdev: &pci::Device<Bound>, regs: &Regs) -> Result<Self> {
        let dev: &Device<Bound> = pdev.as_ref();
        let id = regs.read(ID);
        if id != ID_MAGIC {
            dev_err!(dev, "not a softgpu: its ID register reads {:#x}\n", id);
            return Err(ENODEV);
        }
        let revision = regs.revision();
        if revision.major() != REVISION_MAJOR {
            dev_err!(
                dev,
                "revision {}.{} is not supported, {}.x is\n",
                revision.major().get(),
                revision.minor().get(),
                REVISION_MAJOR
            );
            return Err(ENODEV);
        }

        let features = regs.read(FEATURES);
        if features & NEEDED != NEEDED {
            dev_err!(
                dev,
                "lacks what this driver needs: features {:#x} of {:#x}\n",
                features & NEEDED,
                NEEDED
            );
            return Err(ENODEV);
        }

        let engines = regs.read(ENGINES);
        let spaces = regs.read(ADDRESS_SPACES);
        let vram_size = regs.read64(VRAM_SIZE_LO);
        let scratchpad_size = match features & feature::SCRATCHPAD {
            0 => 0,
            _ => u64::from(regs.read(SCRATCHPAD_SIZE)),
        };
        if !(1..=limits::MAX_ENGINES).contains(&engines)
            || spaces != limits::ADDRESS_SPACES
            || !(BLOCK_2M..1 << 40).contains(&vram_size)
        {
            dev_err!(
                dev,
                "implausible: {} engines, {} address spaces, {:#x} bytes of VRAM\n",
                engines,
                spaces,
                vram_size
            );
            return Err(ENODEV);
        }

        let vram_size = vram_size & !(BLOCK_2M - 1);
        let cpu_visible_size = regs.read64(VISIBLE_SIZE_LO).min(vram_size);
        let table_memory = (vram_size / TABLE_SHARE).min(cpu_visible_size / 4);
        let atomics = features & feature::ATOMICS != 0;
        Ok(Self {
            revision: revision.into(),
            atomics,
            system_atomics: atomics && enable_atomics_to_root(pdev).is_ok(),
            reports_bad_pages: features & feature::POISON != 0,
            vram_size,
            cpu_visible_size,
            table_memory: table_memory & !(BLOCK_64K_SIZE - 1),
            timestamp_hz: regs.read(TIMESTAMP_HZ),
            scratchpad_size: scratchpad_size & !(limits::PAGE_SIZE - 1),
            engines,
        })
    }
}
