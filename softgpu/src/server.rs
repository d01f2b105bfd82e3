// SPDX-License-Identifier: GPL-2.0

//! The GPU as a vfio-user device.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use log::warn;
use vfio_bindings::bindings::vfio::{
    VFIO_IRQ_INFO_EVENTFD, VFIO_PCI_BAR0_REGION_INDEX, VFIO_PCI_BAR2_REGION_INDEX,
    VFIO_PCI_CONFIG_REGION_INDEX, VFIO_PCI_ERR_IRQ_INDEX, VFIO_PCI_MSIX_IRQ_INDEX,
    VFIO_PCI_NUM_IRQS, VFIO_PCI_NUM_REGIONS, VFIO_REGION_INFO_FLAG_READ,
    VFIO_REGION_INFO_FLAG_WRITE,
};
use vm_memory::VolatileSlice;

use crate::abi::limits::MAX_VECTORS;
use crate::abi::pci;
use crate::config_space::{self, ConfigSpace};
use crate::device::Device;
use crate::msix_table::MsixTable;
use crate::vfio_user::{self, DmaMap, DmaUnmap, Interrupts, IrqAction, Refusal, Region};

const READ_WRITE: u32 = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;

/// The PCI function around the GPU.
///
/// No access of a guest fails: a real device has no way to tell it either. What the client asks for
/// may be refused.
pub struct Backend {
    device: Arc<Device>,
    config: ConfigSpace,
    msix: MsixTable,
    /// The client has mapped memory that can be written: RAM.
    ram_seen: bool,
}

impl Backend {
    /// The function of a GPU.
    pub fn new(device: Arc<Device>) -> Self {
        Self {
            config: ConfigSpace::new(device.config().visible),
            device,
            msix: MsixTable::new(),
            ram_seen: false,
        }
    }

    /// The GPU.
    pub fn device(&self) -> &Arc<Device> {
        &self.device
    }

    fn read_register(&self, offset: usize) -> u32 {
        if offset == pci::MSIX_PBA as usize {
            self.device.shared().irqs.held()
        } else if MsixTable::contains(offset) {
            self.msix.read(offset)
        } else {
            self.device.read(offset)
        }
    }

    fn write_register(&mut self, offset: usize, value: u32) {
        if MsixTable::contains(offset) {
            self.msix.write(offset, value);
        } else {
            self.device.write(offset, value);
        }
    }

    fn write_config(&mut self, offset: u64, data: &[u8]) {
        let effects = self.config.write(offset, data);
        if effects.reset || effects.power_off {
            self.device.reset();
            self.msix = MsixTable::new();
        }
        self.device
            .set_bus_master(self.config.bus_master() && self.config.powered());
        self.device.set_window(self.config.vram_window());
        self.device
            .set_system_atomics(self.config.atomic_requester());
    }

    /// Calls `access` with the visible VRAM of an access to BAR 2, if there is any.
    fn with_vram(&self, offset: u64, length: usize, access: impl FnOnce(VolatileSlice<'_>)) {
        let visible = self.device.config().visible;
        let end = offset.checked_add(length as u64);
        if end.is_some_and(|end| end <= visible)
            && let Some(slice) = self
                .device
                .shared()
                .memory
                .read()
                .vram
                .slice(offset, length as u64)
        {
            access(slice);
        }
    }
}

/// The registers of an access to BAR 0: aligned, of 4 or 8 bytes.
fn registers(offset: u64, length: usize) -> Option<usize> {
    let inside = offset.checked_add(length as u64)? <= pci::BAR_REGS_SIZE as u64;
    let aligned = matches!(length, 4 | 8) && offset.is_multiple_of(length as u64);
    (inside && aligned).then_some(offset as usize)
}

impl vfio_user::Device for Backend {
    fn regions(&self) -> u32 {
        VFIO_PCI_NUM_REGIONS
    }

    fn region(&self, index: u32) -> Region<'_> {
        let (size, file) = match index {
            VFIO_PCI_BAR0_REGION_INDEX => (pci::BAR_REGS_SIZE as u64, None),
            VFIO_PCI_BAR2_REGION_INDEX => {
                (self.device.config().visible, Some(self.device.vram().fd()))
            }
            VFIO_PCI_CONFIG_REGION_INDEX => (config_space::SIZE as u64, None),
            _ => return Region::default(),
        };
        Region {
            size,
            flags: READ_WRITE,
            file,
        }
    }

    fn irqs(&self) -> u32 {
        VFIO_PCI_NUM_IRQS
    }

    fn irq(&self, index: u32) -> Interrupts {
        let count = match index {
            VFIO_PCI_MSIX_IRQ_INDEX => MAX_VECTORS,
            // Bus errors. There are none, but QEMU warns about a device that cannot report them.
            VFIO_PCI_ERR_IRQ_INDEX => 1,
            _ => return Interrupts::default(),
        };
        Interrupts {
            count,
            flags: VFIO_IRQ_INFO_EVENTFD,
        }
    }

    fn arrives(&mut self, part: &mut [u8]) {
        self.device.garbling().pass(part);
    }

    fn region_read(&mut self, region: u32, offset: u64, data: &mut [u8]) {
        data.fill(0xff);
        if self.device.removed() {
            return;
        }
        if region == VFIO_PCI_CONFIG_REGION_INDEX {
            self.config.read(offset, data);
            return;
        }
        if !self.config.powered() {
            return;
        }
        match region {
            VFIO_PCI_BAR0_REGION_INDEX => {
                if let Some(first) = registers(offset, data.len()) {
                    for (at, register) in (first..).step_by(4).zip(data.as_chunks_mut().0) {
                        *register = self.read_register(at).to_le_bytes();
                    }
                }
            }
            VFIO_PCI_BAR2_REGION_INDEX => {
                self.with_vram(offset, data.len(), |slice| {
                    slice.copy_to(data);
                });
            }
            _ => {}
        }
    }

    fn region_write(&mut self, region: u32, offset: u64, data: &[u8]) {
        if self.device.removed() {
            return;
        }
        if region == VFIO_PCI_CONFIG_REGION_INDEX {
            self.write_config(offset, data);
            return;
        }
        if !self.config.powered() {
            return;
        }
        match region {
            VFIO_PCI_BAR0_REGION_INDEX => {
                if let Some(first) = registers(offset, data.len()) {
                    for (at, register) in (first..).step_by(4).zip(data.as_chunks().0) {
                        self.write_register(at, u32::from_le_bytes(*register));
                    }
                }
            }
            VFIO_PCI_BAR2_REGION_INDEX => {
                self.with_vram(offset, data.len(), |slice| slice.copy_from(data));
            }
            _ => {}
        }
    }

    fn dma_map(&mut self, map: DmaMap, file: Option<OwnedFd>) -> Result<(), Refusal> {
        let first_ram = map.write && !std::mem::replace(&mut self.ram_seen, true);
        let mut view = self.device.shared().memory.write();
        match file {
            Some(file) if map.read => view.dma.map(&map, &file),
            // Accesses to memory that is not shared fault.
            _ => {
                if first_ram {
                    warn!(
                        "the guest's RAM at {:#x} comes without a file descriptor, so the GPU \
                         cannot reach it: QEMU must share it, as with -object \
                         memory-backend-memfd,share=on",
                        map.address
                    );
                }
                view.dma.check_free(&map)
            }
        }
    }

    fn dma_unmap(&mut self, unmap: DmaUnmap) -> Result<(), Refusal> {
        let mut view = self.device.shared().memory.write();
        match unmap {
            DmaUnmap::All => {
                view.dma.unmap_all();
                Ok(())
            }
            DmaUnmap::Range { address, size } => view.dma.unmap(address, size),
        }
    }

    fn reset(&mut self) {
        self.config.reset();
        self.device.reset();
        self.msix = MsixTable::new();
        self.device.set_bus_master(false);
        self.device.set_window(None);
        self.device.set_system_atomics(false);
    }

    fn set_irqs(&mut self, index: u32, start: u32, action: IrqAction) -> Result<(), Refusal> {
        if index != VFIO_PCI_MSIX_IRQ_INDEX {
            // There are no bus errors, so the event is never signalled.
            return Ok(());
        }
        let irqs = &self.device.shared().irqs;
        match action {
            IrqAction::Connect(events) => irqs
                .connect(start, events)
                .map_err(|errno| Refusal::new(errno, "an event that is none"))?,
            IrqAction::Disconnect => irqs.disconnect(),
            IrqAction::Trigger(count) => irqs.trigger(start, count),
        }
        Ok(())
    }
}
