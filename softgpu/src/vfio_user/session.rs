// SPDX-License-Identifier: GPL-2.0

//! The messages of one client.

use std::io::{self, ErrorKind};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use log::warn;
use rustix::io::Errno;
use vfio_bindings::bindings::vfio::{
    VFIO_DEVICE_FLAGS_PCI, VFIO_DEVICE_FLAGS_RESET, VFIO_IRQ_SET_ACTION_TRIGGER,
    VFIO_IRQ_SET_ACTION_TYPE_MASK, VFIO_IRQ_SET_DATA_EVENTFD, VFIO_IRQ_SET_DATA_NONE,
    VFIO_IRQ_SET_DATA_TYPE_MASK, VFIO_REGION_INFO_CAP_SPARSE_MMAP, VFIO_REGION_INFO_FLAG_CAPS,
    VFIO_REGION_INFO_FLAG_MMAP,
};

use super::stream::{Message, receive, send};
use super::version::{self, Agreement};
use super::wire::{Fields, REGION_ACCESS, command, put, put64};
use super::{Device, DmaMap, DmaUnmap, IrqAction, MAX_DATA, Refusal, Region};
use crate::log_limit::LogLimit;

// Flags of DMA_MAP and DMA_UNMAP.
const MAP_READ: u32 = 1 << 0;
const MAP_WRITE: u32 = 1 << 1;
const UNMAP_DIRTY_PAGES: u32 = 1 << 0;
const UNMAP_ALL: u32 = 1 << 1;

// Bytes of structures, as `argsz` counts them.
const DMA_MAP_SIZE: usize = 32;
const DMA_UNMAP_SIZE: usize = 24;
const DEVICE_INFO_SIZE: usize = 16;
const REGION_INFO_SIZE: usize = 32;
const IRQ_INFO_SIZE: usize = 16;
const IRQ_SET_SIZE: usize = 20;
/// Where a read has its length.
const READ_LENGTH: usize = 12;
/// A sparse-mmap capability with one area.
const SPARSE_SIZE: usize = 32;

/// The end of a session.
#[derive(Debug)]
pub struct End {
    /// The client agreed on the version: it was one that had come for the device.
    pub agreed: bool,
    /// An error of the socket, or why the stream could not be followed any further (kind
    /// `InvalidData`). A client that goes is no error, wherever it does.
    pub result: io::Result<()>,
}

/// Answers the messages of a client until it is gone.
pub fn serve(stream: &UnixStream, device: &mut dyn Device) -> End {
    let mut session = Session {
        device,
        agreement: None,
    };
    let result = match session.run(stream) {
        Err(error) if is_disconnect(&error) => Ok(()),
        result => result,
    };
    End {
        agreed: session.agreement.is_some(),
        result,
    }
}

/// A client that dies may leave the connection in the middle of a message.
fn is_disconnect(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof
    )
}

/// The parts of a message that may arrive as something else, without harm to what is not the
/// device: not which memory it reaches, and not how long the reply is that the client waits for.
fn loose(number: u16, body: &mut [u8]) -> &mut [u8] {
    match number {
        command::REGION_READ => body.split_at_mut(READ_LENGTH.min(body.len())).0,
        command::REGION_WRITE | command::DEVICE_SET_IRQS => body,
        _ => &mut [],
    }
}

struct Session<'a> {
    device: &'a mut dyn Device,
    agreement: Option<Agreement>,
}

impl Session<'_> {
    fn run(&mut self, stream: &UnixStream) -> io::Result<()> {
        let mut body = Vec::new();
        let mut reply = Vec::new();
        // A guest can bring about some refusals, as often as it likes.
        let mut warnings = LogLimit::default();
        while let Some(Message {
            header,
            fds,
            fds_lost,
        }) = receive(stream, &mut body)?
        {
            reply.clear();
            self.device.arrives(loose(header.command, &mut body));
            // Whichever way, the descriptors that are not kept are closed before the reply.
            let result = if fds_lost {
                drop(fds);
                Err(Refusal::new(Errno::TOOBIG, "too many file descriptors"))
            } else {
                self.answer(header.command, &body, fds, &mut reply)
            };
            if let Err(refusal) = &result {
                warnings.warn(|again| {
                    let name = command::name(header.command);
                    warn!("{name} refused: {refusal}{again}");
                });
            }
            if !header.wants_reply {
                continue;
            }
            match result {
                Ok(fd) => send(stream, &header.reply(reply.len()), &reply, fd)?,
                Err(refusal) => send(stream, &header.error(refusal.errno), &[], None)?,
            }
        }
        Ok(())
    }

    /// Does a command and appends the body of its reply; the descriptor that goes with it.
    fn answer(
        &mut self,
        number: u16,
        body: &[u8],
        fds: Vec<OwnedFd>,
        reply: &mut Vec<u8>,
    ) -> Result<Option<BorrowedFd<'_>>, Refusal> {
        if self.agreement.is_none() != (number == command::VERSION) {
            return Err(Refusal::invalid(
                "the version must be agreed on first, and once",
            ));
        }
        if !fds.is_empty() && !matches!(number, command::DMA_MAP | command::DEVICE_SET_IRQS) {
            return Err(Refusal::invalid(
                "file descriptors with a command that has none",
            ));
        }
        let fields = Fields(body);
        match number {
            command::VERSION => self.agreement = Some(version::agree(body, reply)?),
            command::DMA_MAP => self.dma_map(fields, fds)?,
            command::DMA_UNMAP => self.dma_unmap(fields, reply)?,
            command::DEVICE_GET_INFO => self.info(fields, reply)?,
            command::DEVICE_GET_REGION_INFO => return self.region_info(fields, reply),
            command::DEVICE_GET_IRQ_INFO => self.irq_info(fields, reply)?,
            command::DEVICE_SET_IRQS => self.set_irqs(fields, fds)?,
            command::REGION_READ => self.region_read(fields, reply)?,
            command::REGION_WRITE => self.region_write(fields, reply)?,
            command::DEVICE_RESET => self.device.reset(),
            _ => return Err(Refusal::new(Errno::NOTSUP, "not supported")),
        }
        Ok(None)
    }

    fn dma_map(&mut self, mut fields: Fields<'_>, mut fds: Vec<OwnedFd>) -> Result<(), Refusal> {
        fields.argsz(DMA_MAP_SIZE)?;
        let flags = fields.u32()?;
        let (offset, address, size) = (fields.u64()?, fields.u64()?, fields.u64()?);
        if flags & !(MAP_READ | MAP_WRITE) != 0 {
            return Err(Refusal::invalid(format!("DMA_MAP with flags {flags:#x}")));
        }
        if fds.len() > 1 {
            return Err(Refusal::invalid("DMA_MAP with several file descriptors"));
        }
        let map = DmaMap {
            address,
            size,
            offset,
            read: flags & MAP_READ != 0,
            write: flags & MAP_WRITE != 0,
        };
        self.device.dma_map(map, fds.pop())
    }

    fn dma_unmap(&mut self, mut fields: Fields<'_>, reply: &mut Vec<u8>) -> Result<(), Refusal> {
        let argsz = fields.argsz(DMA_UNMAP_SIZE)?;
        let flags = fields.u32()?;
        let (address, size) = (fields.u64()?, fields.u64()?);
        let unmap = match flags {
            0 => DmaUnmap::Range { address, size },
            UNMAP_ALL if address == 0 && size == 0 => DmaUnmap::All,
            UNMAP_DIRTY_PAGES => {
                return Err(Refusal::new(Errno::NOTSUP, "dirty pages are not tracked"));
            }
            _ => return Err(Refusal::invalid(format!("DMA_UNMAP with flags {flags:#x}"))),
        };
        self.device.dma_unmap(unmap)?;
        put(reply, &[argsz as u32, flags]);
        put64(reply, address);
        put64(reply, size);
        Ok(())
    }

    fn info(&self, mut fields: Fields<'_>, reply: &mut Vec<u8>) -> Result<(), Refusal> {
        fields.argsz(DEVICE_INFO_SIZE)?;
        let flags = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET;
        let (regions, irqs) = (self.device.regions(), self.device.irqs());
        put(reply, &[DEVICE_INFO_SIZE as u32, flags, regions, irqs]);
        Ok(())
    }

    /// The index of a region.
    fn region_index(&self, index: u32) -> Result<u32, Refusal> {
        if index < self.device.regions() {
            Ok(index)
        } else {
            Err(Refusal::invalid(format!("no region {index}")))
        }
    }

    fn region_info(
        &self,
        mut fields: Fields<'_>,
        reply: &mut Vec<u8>,
    ) -> Result<Option<BorrowedFd<'_>>, Refusal> {
        let argsz = fields.argsz(REGION_INFO_SIZE)?;
        let (_flags, index) = (fields.u32()?, fields.u32()?);
        let index = self.region_index(index)?;
        let Region {
            size,
            mut flags,
            mut file,
        } = self.device.region(index);
        if !self.agreement.as_ref().is_some_and(|it| it.takes_fd) {
            file = None;
        }
        let Some(file) = file else {
            put(reply, &[REGION_INFO_SIZE as u32, flags, index, 0]);
            put64(reply, size);
            put64(reply, 0);
            return Ok(None);
        };
        flags |= VFIO_REGION_INFO_FLAG_MMAP | VFIO_REGION_INFO_FLAG_CAPS;
        let whole = REGION_INFO_SIZE + SPARSE_SIZE;
        let first_capability = REGION_INFO_SIZE as u32;
        put(reply, &[whole as u32, flags, index, first_capability]);
        put64(reply, size);
        put64(reply, 0);
        if argsz < whole {
            // The client learns how much room it takes and asks again.
            return Ok(None);
        }
        // Its identifier, its version, no next one; one area, a pad, and the area.
        reply.extend((VFIO_REGION_INFO_CAP_SPARSE_MMAP as u16).to_ne_bytes());
        reply.extend(1u16.to_ne_bytes());
        put(reply, &[0, 1, 0]);
        put64(reply, 0);
        put64(reply, size);
        Ok(Some(file))
    }

    /// The index of interrupts.
    fn irq_index(&self, index: u32) -> Result<u32, Refusal> {
        if index < self.device.irqs() {
            Ok(index)
        } else {
            Err(Refusal::invalid(format!("no interrupts of index {index}")))
        }
    }

    fn irq_info(&self, mut fields: Fields<'_>, reply: &mut Vec<u8>) -> Result<(), Refusal> {
        fields.argsz(IRQ_INFO_SIZE)?;
        let (_flags, index) = (fields.u32()?, fields.u32()?);
        let index = self.irq_index(index)?;
        let irq = self.device.irq(index);
        put(reply, &[IRQ_INFO_SIZE as u32, irq.flags, index, irq.count]);
        Ok(())
    }

    fn set_irqs(&mut self, mut fields: Fields<'_>, fds: Vec<OwnedFd>) -> Result<(), Refusal> {
        fields.argsz(IRQ_SET_SIZE)?;
        let (flags, index) = (fields.u32()?, fields.u32()?);
        let (start, count) = (fields.u32()?, fields.u32()?);
        let index = self.irq_index(index)?;
        let vectors = self.device.irq(index).count;
        if start.checked_add(count).is_none_or(|end| end > vectors) {
            return Err(Refusal::invalid(format!(
                "{count} vectors from {start} of index {index}, which has {vectors}"
            )));
        }
        if flags & VFIO_IRQ_SET_ACTION_TYPE_MASK != VFIO_IRQ_SET_ACTION_TRIGGER {
            return Err(Refusal::new(
                Errno::NOTSUP,
                "interrupts cannot be masked here",
            ));
        }
        let action = match flags & VFIO_IRQ_SET_DATA_TYPE_MASK {
            VFIO_IRQ_SET_DATA_NONE if count == 0 => IrqAction::Disconnect,
            VFIO_IRQ_SET_DATA_NONE => IrqAction::Trigger(count),
            VFIO_IRQ_SET_DATA_EVENTFD => IrqAction::Connect(events(count, fds)?),
            _ => {
                return Err(Refusal::new(
                    Errno::NOTSUP,
                    format!("SET_IRQS with flags {flags:#x}"),
                ));
            }
        };
        self.device.set_irqs(index, start, action)
    }

    fn region_read(&mut self, mut fields: Fields<'_>, reply: &mut Vec<u8>) -> Result<(), Refusal> {
        let (offset, region, count) = (fields.u64()?, fields.u32()?, fields.u32()?);
        let region = self.region_index(region)?;
        if count as usize > MAX_DATA {
            return Err(Refusal::invalid(format!("a read of {count} bytes")));
        }
        put64(reply, offset);
        put(reply, &[region, count]);
        reply.resize(REGION_ACCESS + count as usize, 0);
        self.device
            .region_read(region, offset, &mut reply[REGION_ACCESS..]);
        Ok(())
    }

    fn region_write(&mut self, mut fields: Fields<'_>, reply: &mut Vec<u8>) -> Result<(), Refusal> {
        let (offset, region, count) = (fields.u64()?, fields.u32()?, fields.u32()?);
        let region = self.region_index(region)?;
        let data = fields.rest();
        if data.len() != count as usize {
            return Err(Refusal::invalid(format!(
                "a write of {count} bytes with {} bytes of data",
                data.len()
            )));
        }
        self.device.region_write(region, offset, data);
        put64(reply, offset);
        put(reply, &[region, count]);
        Ok(())
    }
}

/// The events of so many vectors: one each, or none at all, which disconnects them.
fn events(count: u32, fds: Vec<OwnedFd>) -> Result<Vec<Option<OwnedFd>>, Refusal> {
    if fds.is_empty() {
        return Ok((0..count).map(|_| None).collect());
    }
    if fds.len() != count as usize {
        return Err(Refusal::invalid(format!(
            "{} events for {count} vectors",
            fds.len()
        )));
    }
    Ok(fds.into_iter().map(Some).collect())
}
