// SPDX-License-Identifier: GPL-2.0

//! The MSI-X table in BAR 0.
//!
//! A vfio-user client keeps the table that the guest sees and hands the device one event a vector,
//! so what is written here is stored and has no effect. The pending bits behind it are the
//! interrupt unit's.

use crate::abi::limits::MAX_VECTORS;
use crate::abi::pci;

const ENTRY_DWORDS: usize = 4;
const VECTOR_CONTROL: usize = 3;
const MASKED: u32 = 1;
const DWORDS: usize = MAX_VECTORS as usize * ENTRY_DWORDS;

/// The table.
pub(crate) struct MsixTable([u32; DWORDS]);

impl MsixTable {
    /// All vectors masked.
    pub(crate) fn new() -> Self {
        let mut table = [0; DWORDS];
        for entry in table.chunks_exact_mut(ENTRY_DWORDS) {
            entry[VECTOR_CONTROL] = MASKED;
        }
        Self(table)
    }

    /// Whether an offset in BAR 0 belongs to the table or the pending bits.
    pub(crate) fn contains(offset: usize) -> bool {
        offset >= pci::MSIX_TABLE as usize
    }

    fn index(offset: usize) -> Option<usize> {
        let index = offset.checked_sub(pci::MSIX_TABLE as usize)? / 4;
        (index < DWORDS).then_some(index)
    }

    /// Reads the dword at an offset in BAR 0.
    pub(crate) fn read(&self, offset: usize) -> u32 {
        Self::index(offset).map_or(0, |index| self.0[index])
    }

    /// Writes the dword at an offset in BAR 0.
    pub(crate) fn write(&mut self, offset: usize, value: u32) {
        if let Some(index) = Self::index(offset) {
            self.0[index] = match index % ENTRY_DWORDS {
                0 => value & !3,
                VECTOR_CONTROL => value & MASKED,
                _ => value,
            };
        }
    }
}
