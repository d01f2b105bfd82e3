// SPDX-License-Identifier: GPL-2.0

//! The GPU as a vfio-user device.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use vfio_bindings::bindings::vfio::{
    VFIO_IRQ_INFO_EVENTFD, VFIO_IRQ_SET_ACTION_TRIGGER, VFIO_IRQ_SET_DATA_EVENTFD,
    VFIO_IRQ_SET_DATA_NONE, VFIO_PCI_BAR0_REGION_INDEX, VFIO_PCI_BAR2_REGION_INDEX,
    VFIO_PCI_CONFIG_REGION_INDEX, VFIO_PCI_ERR_IRQ_INDEX, VFIO_PCI_MSIX_IRQ_INDEX,
    VFIO_PCI_NUM_IRQS, VFIO_PCI_NUM_REGIONS, VFIO_REGION_INFO_FLAG_MMAP,
    VFIO_REGION_INFO_FLAG_READ, VFIO_REGION_INFO_FLAG_WRITE, vfio_region_info,
    vfio_region_sparse_mmap_area,
};
use vfio_user::{
    DmaMapFlags, DmaUnmapFlags, Error, IrqInfo, Server, ServerBackend, ServerRegion, SparseArea,
};
use vm_memory::VolatileSlice;

use crate::abi::limits::MAX_VECTORS;
use crate::abi::pci;
use crate::config_space::{self, ConfigSpace};
use crate::device::{Config, Device};
use crate::dma::Permission;
use crate::msix_table::MsixTable;
use crate::socket::{self, SocketFile};

const READ_WRITE: u32 = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;

/// A GPU behind a socket.
pub struct Endpoint {
    server: Server,
    backend: Backend,
    _socket: SocketFile,
}

impl Endpoint {
    /// Powers a GPU on and listens at `path`. A socket that nobody listens at any more is replaced.
    pub fn new(path: &Path, config: Config) -> anyhow::Result<Self> {
        socket::refuse_taken(path)?;
        let device = Arc::new(Device::new(config)?);
        let fd = device.shared().memory.read().vram.fd();
        let regions = (0..VFIO_PCI_NUM_REGIONS)
            .map(|index| region(index, config, fd))
            .collect();
        let irqs = (0..VFIO_PCI_NUM_IRQS).map(irq).collect();
        let (listener, socket) = socket::listen(path)?;
        Ok(Self {
            server: Server::from_owned_fd(listener.into(), true, irqs, regions),
            backend: Backend::new(device),
            _socket: socket,
        })
    }

    /// The GPU.
    pub fn device(&self) -> &Arc<Device> {
        self.backend.device()
    }

    /// Serves one client until it is gone; then the GPU has no bus any more.
    pub fn run(&mut self) -> anyhow::Result<()> {
        let result = self.server.run(&mut self.backend);
        self.device().remove();
        match result {
            Err(error) if !is_disconnect(&error) => {
                Err(error).context("the connection to the client failed")
            }
            _ => Ok(()),
        }
    }
}

/// A client that dies may leave the connection in the middle of a message.
fn is_disconnect(error: &Error) -> bool {
    let kind = match error {
        Error::StreamRead(error) | Error::StreamWrite(error) => error.kind(),
        Error::ReceiveWithFd(error) | Error::SendWithFd(error) => {
            io::Error::from_raw_os_error(error.errno()).kind()
        }
        _ => return false,
    };
    matches!(
        kind,
        ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof
    )
}

fn region(index: u32, config: Config, vram: i32) -> ServerRegion {
    let (size, flags) = match index {
        VFIO_PCI_BAR0_REGION_INDEX => (pci::BAR_REGS_SIZE as u64, READ_WRITE),
        VFIO_PCI_BAR2_REGION_INDEX => (config.visible, READ_WRITE | VFIO_REGION_INFO_FLAG_MMAP),
        VFIO_PCI_CONFIG_REGION_INDEX => (config_space::SIZE as u64, READ_WRITE),
        _ => (0, 0),
    };
    let mapped = flags & VFIO_REGION_INFO_FLAG_MMAP != 0;
    let area = vfio_region_sparse_mmap_area { offset: 0, size };
    ServerRegion {
        region_info: vfio_region_info {
            argsz: size_of::<vfio_region_info>() as u32,
            flags,
            index,
            size,
            ..Default::default()
        },
        sparse_areas: mapped.then_some(SparseArea { area }).into_iter().collect(),
        mmap_fd: mapped.then_some(vram),
    }
}

fn irq(index: u32) -> IrqInfo {
    let (count, flags) = match index {
        VFIO_PCI_MSIX_IRQ_INDEX => (MAX_VECTORS, VFIO_IRQ_INFO_EVENTFD),
        // Fatal errors of the bus. There are none, but QEMU warns about a device that cannot
        // report them.
        VFIO_PCI_ERR_IRQ_INDEX => (1, VFIO_IRQ_INFO_EVENTFD),
        _ => (0, 0),
    };
    IrqInfo {
        index,
        flags,
        count,
    }
}

/// The PCI function around the GPU.
///
/// Nothing that a guest can do makes these functions fail: the protocol has no way to tell it, and
/// a real device has none either.
pub struct Backend {
    device: Arc<Device>,
    config: ConfigSpace,
    msix: MsixTable,
}

impl Backend {
    /// The function of a GPU.
    pub fn new(device: Arc<Device>) -> Self {
        Self {
            config: ConfigSpace::new(device.config().visible),
            device,
            msix: MsixTable::new(),
        }
    }

    /// The GPU.
    pub fn device(&self) -> &Arc<Device> {
        &self.device
    }

    fn read_register(&self, offset: usize) -> u32 {
        if MsixTable::contains(offset) {
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

impl ServerBackend for Backend {
    fn region_read(&mut self, region: u32, offset: u64, data: &mut [u8]) -> io::Result<()> {
        data.fill(0xff);
        if self.device.removed() {
            return Ok(());
        }
        if region == VFIO_PCI_CONFIG_REGION_INDEX {
            self.config.read(offset, data);
            return Ok(());
        }
        if !self.config.powered() {
            return Ok(());
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
        Ok(())
    }

    fn region_write(&mut self, region: u32, offset: u64, data: &[u8]) -> io::Result<()> {
        if self.device.removed() {
            return Ok(());
        }
        if region == VFIO_PCI_CONFIG_REGION_INDEX {
            self.write_config(offset, data);
            return Ok(());
        }
        if !self.config.powered() {
            return Ok(());
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
        Ok(())
    }

    fn dma_map(
        &mut self,
        flags: DmaMapFlags,
        offset: u64,
        address: u64,
        size: u64,
        fd: Option<File>,
    ) -> io::Result<()> {
        let mut view = self.device.shared().memory.write();
        match fd {
            Some(file) if flags.contains(DmaMapFlags::READ) => {
                let permission = if flags.contains(DmaMapFlags::WRITE) {
                    Permission::ReadWrite
                } else {
                    Permission::Read
                };
                view.dma.map(address, size, file, offset, permission)
            }
            // Memory that is not shared cannot be reached: accesses there fault.
            _ => {
                view.dma.unmap(address, size);
                Ok(())
            }
        }
    }

    fn dma_unmap(&mut self, flags: DmaUnmapFlags, address: u64, size: u64) -> io::Result<()> {
        let mut view = self.device.shared().memory.write();
        if flags.contains(DmaUnmapFlags::UNMAP_ALL) {
            view.dma.unmap_all();
        } else {
            view.dma.unmap(address, size);
        }
        Ok(())
    }

    fn reset(&mut self) -> io::Result<()> {
        self.config.reset();
        self.device.reset();
        self.msix = MsixTable::new();
        self.device.set_bus_master(false);
        self.device.set_window(None);
        Ok(())
    }

    fn set_irqs(
        &mut self,
        index: u32,
        flags: u32,
        start: u32,
        count: u32,
        fds: Vec<File>,
    ) -> io::Result<()> {
        if index != VFIO_PCI_MSIX_IRQ_INDEX || flags & VFIO_IRQ_SET_ACTION_TRIGGER == 0 {
            return Ok(());
        }
        let irqs = &self.device.shared().irqs;
        if count == 0 {
            irqs.disconnect();
        } else if flags & VFIO_IRQ_SET_DATA_EVENTFD != 0 {
            // A range without descriptors is one to disconnect.
            let events = fds
                .into_iter()
                .map(Some)
                .chain(std::iter::repeat_with(|| None));
            irqs.connect(start, events.take(count as usize));
        } else if flags & VFIO_IRQ_SET_DATA_NONE != 0 {
            irqs.trigger(start, count);
        }
        Ok(())
    }
}
