// SPDX-License-Identifier: GPL-2.0

//! The layout of messages. Numbers have the byte order of the host.

use rustix::io::Errno;

use super::{MAX_DATA, Refusal};

/// Bytes of a header.
pub(super) const HEADER: usize = 16;

/// Bytes of the longest message: a write to a region.
pub(super) const MAX_MESSAGE: usize = HEADER + REGION_ACCESS + MAX_DATA;

/// Bytes of an access to a region without its data.
pub(super) const REGION_ACCESS: usize = 16;

const TYPE: u32 = 0xf;
const TYPE_COMMAND: u32 = 0;
const TYPE_REPLY: u32 = 1;
const NO_REPLY: u32 = 1 << 4;
const ERROR: u32 = 1 << 5;

/// Numbers of the commands that are known here.
pub(super) mod command {
    pub(in super::super) const VERSION: u16 = 1;
    pub(in super::super) const DMA_MAP: u16 = 2;
    pub(in super::super) const DMA_UNMAP: u16 = 3;
    pub(in super::super) const DEVICE_GET_INFO: u16 = 4;
    pub(in super::super) const DEVICE_GET_REGION_INFO: u16 = 5;
    pub(in super::super) const DEVICE_GET_IRQ_INFO: u16 = 7;
    pub(in super::super) const DEVICE_SET_IRQS: u16 = 8;
    pub(in super::super) const REGION_READ: u16 = 9;
    pub(in super::super) const REGION_WRITE: u16 = 10;
    pub(in super::super) const DEVICE_RESET: u16 = 13;

    /// The name of a command, for messages.
    pub(in super::super) fn name(number: u16) -> String {
        let name = match number {
            VERSION => "VERSION",
            DMA_MAP => "DMA_MAP",
            DMA_UNMAP => "DMA_UNMAP",
            DEVICE_GET_INFO => "DEVICE_GET_INFO",
            DEVICE_GET_REGION_INFO => "DEVICE_GET_REGION_INFO",
            DEVICE_GET_IRQ_INFO => "DEVICE_GET_IRQ_INFO",
            DEVICE_SET_IRQS => "DEVICE_SET_IRQS",
            REGION_READ => "REGION_READ",
            REGION_WRITE => "REGION_WRITE",
            DEVICE_RESET => "DEVICE_RESET",
            _ => return format!("command {number}"),
        };
        name.to_owned()
    }
}

/// The header of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    id: u16,
    /// Number of the command.
    pub(super) command: u16,
    /// Bytes of the message behind the header.
    pub(super) body: usize,
    /// Whether the client waits for a reply.
    pub(super) wants_reply: bool,
}

impl Header {
    /// Reads a header. The error tells why the stream cannot be followed any further.
    pub(super) fn parse(bytes: &[u8; HEADER]) -> Result<Self, String> {
        let mut fields = Fields(bytes);
        let mut short = || fields.u16().map_err(|refusal| refusal.to_string());
        let (id, command) = (short()?, short()?);
        let mut long = || fields.u32().map_err(|refusal| refusal.to_string());
        let (size, flags) = (long()? as usize, long()?);
        if !(HEADER..=MAX_MESSAGE).contains(&size) {
            return Err(format!("a message of {size} bytes"));
        }
        if flags & TYPE != TYPE_COMMAND {
            return Err(format!("a message that is not a command: flags {flags:#x}"));
        }
        Ok(Self {
            id,
            command,
            body: size - HEADER,
            wants_reply: flags & NO_REPLY == 0,
        })
    }

    /// The header of the reply, of which `body` bytes follow.
    pub(super) fn reply(&self, body: usize) -> [u8; HEADER] {
        self.answer(body, TYPE_REPLY, 0)
    }

    /// The reply that tells an error.
    pub(super) fn error(&self, errno: Errno) -> [u8; HEADER] {
        self.answer(0, TYPE_REPLY | ERROR, errno.raw_os_error() as u32)
    }

    fn answer(&self, body: usize, flags: u32, error: u32) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[0..2].copy_from_slice(&self.id.to_ne_bytes());
        bytes[2..4].copy_from_slice(&self.command.to_ne_bytes());
        bytes[4..8].copy_from_slice(&((HEADER + body) as u32).to_ne_bytes());
        bytes[8..12].copy_from_slice(&flags.to_ne_bytes());
        bytes[12..16].copy_from_slice(&error.to_ne_bytes());
        bytes
    }
}

/// The fields of a message that have not been read yet.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Refusal> {
        let (field, rest) = self
            .0
            .split_first_chunk()
            .ok_or_else(|| Refusal::invalid("a message without all of its fields"))?;
        self.0 = rest;
        Ok(*field)
    }

    /// The next field, of 16 bits.
    pub(super) fn u16(&mut self) -> Result<u16, Refusal> {
        self.take().map(u16::from_ne_bytes)
    }

    /// The next field, of 32 bits.
    pub(super) fn u32(&mut self) -> Result<u32, Refusal> {
        self.take().map(u32::from_ne_bytes)
    }

    /// The next field, of 64 bits.
    pub(super) fn u64(&mut self) -> Result<u64, Refusal> {
        self.take().map(u64::from_ne_bytes)
    }

    /// The field `argsz`, the bytes that the client has for a structure of `least` bytes.
    pub(super) fn argsz(&mut self, least: usize) -> Result<usize, Refusal> {
        let argsz = self.u32()? as usize;
        if argsz < least {
            return Err(Refusal::invalid(format!("argsz {argsz}, not {least}")));
        }
        Ok(argsz)
    }

    /// The bytes behind the fields.
    pub(super) fn rest(self) -> &'a [u8] {
        self.0
    }
}

/// Appends 32-bit fields.
pub(super) fn put(body: &mut Vec<u8>, fields: &[u32]) {
    body.extend(fields.iter().flat_map(|field| field.to_ne_bytes()));
}

/// Appends a 64-bit field.
pub(super) fn put64(body: &mut Vec<u8>, field: u64) {
    body.extend(field.to_ne_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(size: u32, flags: u32) -> [u8; HEADER] {
        let mut bytes = Vec::new();
        bytes.extend(7u16.to_ne_bytes());
        bytes.extend(9u16.to_ne_bytes());
        put(&mut bytes, &[size, flags, 0]);
        bytes.try_into().unwrap()
    }

    #[test]
    fn headers() {
        let parsed = Header::parse(&header(20, 0)).unwrap();
        assert_eq!((parsed.command, parsed.body), (9, 4));
        assert!(parsed.wants_reply);
        assert!(!Header::parse(&header(16, NO_REPLY)).unwrap().wants_reply);
        assert_eq!(parsed.reply(0), header(16, 1));
        let error = parsed.error(Errno::INVAL);
        assert_eq!(error[8..12], 0x21u32.to_ne_bytes());
        assert_eq!(error[12..], (Errno::INVAL.raw_os_error()).to_ne_bytes());
        for (size, flags) in [(0, 0), (15, 0), (u32::MAX, 0), (16, 1), (16, 2)] {
            assert!(
                Header::parse(&header(size, flags)).is_err(),
                "{size} {flags}"
            );
        }
        assert!(Header::parse(&header(MAX_MESSAGE as u32, 0)).is_ok());
        assert!(Header::parse(&header(MAX_MESSAGE as u32 + 1, 0)).is_err());
    }

    #[test]
    fn fields() {
        let mut fields = Fields(&[0; 15]);
        assert_eq!(fields.u16(), Ok(0));
        assert_eq!(fields.u64(), Ok(0));
        assert_eq!(
            fields.u64().map_err(|refusal| refusal.errno),
            Err(Errno::INVAL)
        );
        assert!(fields.argsz(1).is_err());
        assert_eq!(fields.rest(), [0]);
    }
}
