// SPDX-License-Identifier: GPL-2.0

//! PCI configuration space.

use crate::abi::limits::MAX_VECTORS;
use crate::abi::pci;

/// Bytes of the configuration space of a PCI Express function.
pub const SIZE: usize = 4096;

const COMMAND: usize = 0x04;
const COMMAND_MEMORY: u16 = 1 << 1;
const COMMAND_BUS_MASTER: u16 = 1 << 2;
/// Memory space, bus master, parity error response, SERR, INTx disable.
const COMMAND_WRITABLE: u16 = COMMAND_MEMORY | COMMAND_BUS_MASTER | 1 << 6 | 1 << 8 | 1 << 10;
const STATUS: usize = 0x06;
const STATUS_CAPABILITIES: u16 = 1 << 4;
const REVISION: usize = 0x08;
const CACHE_LINE_SIZE: usize = 0x0c;
const BARS: usize = 0x10;
const BARS_END: usize = BARS + 6 * 4;
const BAR_ADDRESS: u64 = !0xf;
const BAR_64_BIT: u32 = 2 << 1;
const BAR_PREFETCHABLE: u32 = 1 << 3;
const SUBSYSTEM: usize = 0x2c;
const CAPABILITIES: usize = 0x34;
const INTERRUPT_LINE: usize = 0x3c;

const PM: usize = 0x40;
const PM_ID: u8 = 0x01;
/// Version 3, D0 and D3hot only, no PME.
const PM_CAPABILITIES: u16 = 3;
const PM_CONTROL: usize = PM + 4;
const PM_STATE: u8 = 3;
const D0: u8 = 0;
const D3HOT: u8 = 3;

const MSIX: usize = 0x50;
const MSIX_ID: u8 = 0x11;
/// Function mask and enable.
const MSIX_CONTROL_WRITABLE: u16 = 1 << 14 | 1 << 15;

const EXPRESS: usize = 0x60;
const EXPRESS_ID: u8 = 0x10;
/// Capability version 2, endpoint.
const EXPRESS_FLAGS: u16 = 2;
/// Role-based error reporting, function-level reset.
const DEVICE_CAPABILITIES: u32 = 1 << 15 | 1 << 28;
const DEVICE_CONTROL: usize = EXPRESS + 8;
const FUNCTION_RESET: u16 = 1 << 15;
/// Error reporting, relaxed ordering, payload and read request sizes, extended tags, no snoop.
const DEVICE_CONTROL_WRITABLE: u16 = 0x79ff;
const DEVICE_CONTROL_RESET: u16 = 0x2810;
const DEVICE_CONTROL_2: usize = EXPRESS + 0x28;
/// AtomicOp Requester Enable.
const ATOMIC_REQUESTER: u8 = 1 << 6;
/// 16 GT/s, 16 lanes.
const LINK: u16 = 4 | 16 << 4;
const LINK_CONTROL_WRITABLE: u16 = 0x01cb;
/// 2.5 to 16 GT/s.
const LINK_SPEEDS: u32 = 0xf << 1;

/// The effects of a write beyond the stored bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// A function-level reset was requested; the configuration space has already been reset.
    pub reset: bool,
    /// The function went to D3hot.
    pub power_off: bool,
}

/// An offset, or the end if it is further away.
fn clamp(offset: u64) -> usize {
    offset.min(SIZE as u64) as usize
}

/// The configuration space.
pub struct ConfigSpace {
    bytes: [u8; SIZE],
    writable: [u8; SIZE],
    reset_values: [u8; SIZE],
}

impl ConfigSpace {
    /// The configuration space of a GPU with `visible` bytes of VRAM in its BAR.
    pub fn new(visible: u64) -> Self {
        let mut space = Self {
            bytes: [0; SIZE],
            writable: [0; SIZE],
            reset_values: [0; SIZE],
        };
        space.header(visible);
        space.capabilities();
        space.reset_values = space.bytes;
        space
    }

    fn header(&mut self, visible: u64) {
        self.put(0x00, &pci::VENDOR.to_le_bytes());
        self.put(0x02, &pci::DEVICE.to_le_bytes());
        self.allow(COMMAND, &COMMAND_WRITABLE.to_le_bytes());
        self.put(STATUS, &STATUS_CAPABILITIES.to_le_bytes());
        self.put(REVISION, &(pci::CLASS << 8 | 1).to_le_bytes());
        self.allow(CACHE_LINE_SIZE, &[0xff]);

        let registers = BARS + 4 * pci::BAR_REGS as usize;
        self.allow(registers, &(!(pci::BAR_REGS_SIZE as u32 - 1)).to_le_bytes());
        let vram = BARS + 4 * pci::BAR_VRAM as usize;
        self.put(vram, &(BAR_64_BIT | BAR_PREFETCHABLE).to_le_bytes());
        self.allow(vram, &(!(visible - 1)).to_le_bytes());

        self.put(SUBSYSTEM, &pci::VENDOR.to_le_bytes());
        self.put(SUBSYSTEM + 2, &pci::DEVICE.to_le_bytes());
        self.put(CAPABILITIES, &[PM as u8]);
        self.allow(INTERRUPT_LINE, &[0xff]);
    }

    fn capabilities(&mut self) {
        self.put(PM, &[PM_ID, MSIX as u8]);
        self.put(PM + 2, &PM_CAPABILITIES.to_le_bytes());
        self.allow(PM_CONTROL, &[PM_STATE]);

        self.put(MSIX, &[MSIX_ID, EXPRESS as u8]);
        self.put(MSIX + 2, &(MAX_VECTORS as u16 - 1).to_le_bytes());
        self.allow(MSIX + 2, &MSIX_CONTROL_WRITABLE.to_le_bytes());
        self.put(MSIX + 4, &(pci::MSIX_TABLE | pci::BAR_REGS).to_le_bytes());
        self.put(MSIX + 8, &(pci::MSIX_PBA | pci::BAR_REGS).to_le_bytes());

        self.put(EXPRESS, &[EXPRESS_ID, 0]);
        self.put(EXPRESS + 2, &EXPRESS_FLAGS.to_le_bytes());
        self.put(EXPRESS + 4, &DEVICE_CAPABILITIES.to_le_bytes());
        self.put(DEVICE_CONTROL, &DEVICE_CONTROL_RESET.to_le_bytes());
        self.allow(DEVICE_CONTROL, &DEVICE_CONTROL_WRITABLE.to_le_bytes());
        self.put(EXPRESS + 0x0c, &u32::from(LINK).to_le_bytes());
        self.allow(EXPRESS + 0x10, &LINK_CONTROL_WRITABLE.to_le_bytes());
        self.put(EXPRESS + 0x12, &LINK.to_le_bytes());
        self.allow(DEVICE_CONTROL_2, &[ATOMIC_REQUESTER]);
        self.put(EXPRESS + 0x2c, &LINK_SPEEDS.to_le_bytes());
    }

    fn put(&mut self, offset: usize, bytes: &[u8]) {
        self.bytes[offset..offset + bytes.len()].copy_from_slice(bytes);
    }

    fn allow(&mut self, offset: usize, mask: &[u8]) {
        self.writable[offset..offset + mask.len()].copy_from_slice(mask);
    }

    /// Reads from `offset`; bytes past the end read as ones.
    pub fn read(&self, offset: u64, data: &mut [u8]) {
        data.fill(0xff);
        let start = clamp(offset);
        for (byte, data) in self.bytes[start..].iter().zip(data) {
            *data = *byte;
        }
    }

    /// Writes to `offset`; read-only bits and bytes past the end are dropped.
    pub fn write(&mut self, offset: u64, data: &[u8]) -> Effects {
        let mut effects = Effects::default();
        for (at, byte) in (clamp(offset)..SIZE).zip(data) {
            match at {
                PM_CONTROL => effects.power_off |= self.write_power(*byte),
                _ => {
                    let mask = self.writable[at];
                    self.bytes[at] = self.bytes[at] & !mask | byte & mask;
                }
            }
            effects.reset |=
                at == DEVICE_CONTROL + 1 && u16::from(*byte) << 8 & FUNCTION_RESET != 0;
        }
        if effects.reset {
            self.reset_function();
        }
        effects
    }

    /// Changes the power state. True if the function went to D3hot.
    fn write_power(&mut self, value: u8) -> bool {
        let old = self.bytes[PM_CONTROL] & PM_STATE;
        match value & PM_STATE {
            D3HOT if old != D3HOT => {
                self.bytes[PM_CONTROL] = D3HOT;
                true
            }
            D0 if old == D3HOT => {
                // No_Soft_Reset is clear: coming back is an internal reset.
                self.reset_function();
                false
            }
            // There is no D1 and no D2.
            _ => false,
        }
    }

    /// Takes the reset values of all but the BARs. The guest sees BARs of the client's, which keep
    /// their addresses, so that it does not write them again.
    fn reset_function(&mut self) {
        let mut bars = [0; BARS_END - BARS];
        bars.copy_from_slice(&self.bytes[BARS..BARS_END]);
        self.reset();
        self.bytes[BARS..BARS_END].copy_from_slice(&bars);
    }

    /// Takes all reset values; BARs, command register and power state too.
    pub fn reset(&mut self) {
        self.bytes = self.reset_values;
    }

    /// Whether the function may use the bus.
    pub fn bus_master(&self) -> bool {
        self.command() & COMMAND_BUS_MASTER != 0
    }

    /// Whether the function may send AtomicOps.
    pub fn atomic_requester(&self) -> bool {
        self.bytes[DEVICE_CONTROL_2] & ATOMIC_REQUESTER != 0
    }

    /// The bus address at which the function shows VRAM, if it answers there.
    pub fn vram_window(&self) -> Option<u64> {
        let at = BARS + 4 * pci::BAR_VRAM as usize;
        let bar = self.bytes[at..]
            .first_chunk()
            .copied()
            .map(u64::from_le_bytes);
        bar.map(|bar| bar & BAR_ADDRESS)
            .filter(|_| self.powered() && self.command() & COMMAND_MEMORY != 0)
    }

    fn command(&self) -> u16 {
        self.bytes[COMMAND].into()
    }

    /// Whether the function is in D0.
    pub fn powered(&self) -> bool {
        self.bytes[PM_CONTROL] & PM_STATE == D0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read32(space: &ConfigSpace, offset: usize) -> u32 {
        let mut data = [0; 4];
        space.read(offset as u64, &mut data);
        u32::from_le_bytes(data)
    }

    #[test]
    fn bar_sizes() {
        let mut space = ConfigSpace::new(64 << 20);
        for (bar, ones, then) in [
            (0, 0xffff_0000, 0),
            (1, 0, 0),
            (2, 0xfc00_000c, 0xc),
            (3, 0xffff_ffff, 0),
            (4, 0, 0),
            (5, 0, 0),
        ] {
            let offset = BARS + 4 * bar;
            space.write(offset as u64, &[0xff; 4]);
            assert_eq!(read32(&space, offset), ones, "BAR {bar}");
            space.write(offset as u64, &[0; 4]);
            assert_eq!(read32(&space, offset), then, "BAR {bar}");
        }
    }

    #[test]
    fn capability_list() {
        let space = ConfigSpace::new(1 << 20);
        let mut ids = Vec::new();
        let mut at = read32(&space, CAPABILITIES) as usize & 0xff;
        while at != 0 {
            ids.push(read32(&space, at) as u8);
            at = read32(&space, at) as usize >> 8 & 0xff;
        }
        assert_eq!(ids, [PM_ID, MSIX_ID, EXPRESS_ID]);
        assert_eq!(read32(&space, MSIX) >> 16, MAX_VECTORS - 1);
        assert_eq!(read32(&space, 0x100), 0);
    }

    #[test]
    fn power_states() {
        let mut space = ConfigSpace::new(1 << 20);
        let control = PM_CONTROL as u64;
        space.write(COMMAND as u64, &[0xff, 0xff]);
        assert!(space.bus_master());
        assert_eq!(space.write(control, &[1]), Effects::default());
        assert!(space.powered());
        assert!(space.write(control, &[3, 0]).power_off);
        assert!(!space.powered());
        assert!(!space.write(control, &[3, 0]).power_off);
        space.write(control, &[0, 0]);
        assert!(space.powered() && !space.bus_master());
    }

    #[test]
    fn function_reset() {
        let mut space = ConfigSpace::new(1 << 20);
        space.write(COMMAND as u64, &[6, 0]);
        assert!(!space.write(DEVICE_CONTROL as u64, &[0x10, 0x28]).reset);
        assert!(space.bus_master());
        let vram = BARS + 4 * pci::BAR_VRAM as usize;
        space.write(vram as u64, &0x4000_0000u32.to_le_bytes());
        assert!(space.write(DEVICE_CONTROL as u64, &[0x10, 0xa8]).reset);
        assert!(!space.bus_master() && space.vram_window().is_none());
        assert_eq!(read32(&space, DEVICE_CONTROL) & 0x8000, 0);
        space.write(COMMAND as u64, &[2, 0]);
        assert_eq!(space.vram_window(), Some(0x4000_0000), "the client's BAR");
        space.reset();
        space.write(COMMAND as u64, &[2, 0]);
        assert_eq!(space.vram_window(), Some(0));
    }

    #[test]
    fn atomics_are_enabled_by_software() {
        let mut space = ConfigSpace::new(1 << 20);
        assert!(!space.atomic_requester());
        space.write(DEVICE_CONTROL_2 as u64, &[0xff; 2]);
        assert!(space.atomic_requester());
        assert_eq!(read32(&space, DEVICE_CONTROL_2) & 0xffff, 1 << 6);
        space.write(DEVICE_CONTROL as u64, &[0x10, 0xa8]);
        assert!(!space.atomic_requester(), "after a function-level reset");
    }

    #[test]
    fn any_access() {
        let mut space = ConfigSpace::new(1 << 20);
        let mut data = [0; 8];
        space.read(SIZE as u64 - 4, &mut data);
        assert_eq!(data, [0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
        space.read(u64::MAX - 7, &mut data);
        assert_eq!(data, [0xff; 8]);
        space.write(SIZE as u64 - 4, &[0xff; 8]);
        space.write(0, &[0xff; 4]);
        assert_eq!(
            read32(&space, 0),
            u32::from(pci::DEVICE) << 16 | u32::from(pci::VENDOR)
        );
    }
}
