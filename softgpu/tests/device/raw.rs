// SPDX-License-Identifier: GPL-2.0

//! A client of the vfio-user protocol that says whatever a test wants it to.

use std::io::{self, IoSlice, Read};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use crate::gpu::wait_for;

pub(crate) const VERSION: u16 = 1;
pub(crate) const DMA_MAP: u16 = 2;
pub(crate) const DMA_UNMAP: u16 = 3;
pub(crate) const GET_INFO: u16 = 4;
pub(crate) const GET_REGION_INFO: u16 = 5;
pub(crate) const GET_IRQ_INFO: u16 = 7;
pub(crate) const SET_IRQS: u16 = 8;
pub(crate) const REGION_READ: u16 = 9;
pub(crate) const REGION_WRITE: u16 = 10;
pub(crate) const DMA_READ: u16 = 11;
pub(crate) const RESET: u16 = 13;

pub(crate) const NO_REPLY: u32 = 1 << 4;
const REPLY: u32 = 1;
const ERROR: u32 = 1 << 5;

/// Longer than anything takes; it ends what hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// More than the device takes with a message.
const MAX_FDS: usize = 32;

/// The bytes of a header.
pub(crate) fn header(id: u16, command: u16, size: u32, flags: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(id.to_ne_bytes());
    bytes.extend(command.to_ne_bytes());
    for field in [size, flags, 0] {
        bytes.extend(field.to_ne_bytes());
    }
    bytes
}

/// A message's body: 32-bit fields, then 64-bit ones.
pub(crate) fn fields(words: &[u32], longs: &[u64]) -> Vec<u8> {
    let words = words.iter().flat_map(|word| word.to_ne_bytes());
    let longs = longs.iter().flat_map(|long| long.to_ne_bytes());
    words.chain(longs).collect()
}

/// The body of a VERSION message.
pub(crate) fn version(major: u16, data: &[u8]) -> Vec<u8> {
    let mut body = major.to_ne_bytes().to_vec();
    body.extend(0u16.to_ne_bytes());
    body.extend(data);
    body
}

/// The body of an access to a region, without data.
pub(crate) fn access(region: u32, offset: u64, count: u32) -> Vec<u8> {
    let mut body = offset.to_ne_bytes().to_vec();
    body.extend(fields(&[region, count], &[]));
    body
}

/// The body of a DMA_MAP for reads and writes.
pub(crate) fn dma_map(offset: u64, address: u64, size: u64) -> Vec<u8> {
    fields(&[32, 3], &[offset, address, size])
}

/// A connection.
pub(crate) struct Raw {
    stream: UnixStream,
    id: u16,
}

impl Raw {
    /// Connects, as soon as there is a socket.
    pub(crate) fn connect(path: &Path) -> Self {
        let mut stream = None;
        wait_for("a socket", || {
            stream = UnixStream::connect(path).ok();
            stream.is_some()
        });
        let stream = stream.unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { stream, id: 0 }
    }

    /// As [`connect`](Self::connect), and agrees on the version.
    pub(crate) fn agreed(path: &Path) -> Self {
        let mut raw = Self::connect(path);
        raw.ask(VERSION, &version(0, b"{}\0")).unwrap();
        raw
    }

    /// Sends bytes as they are, with descriptors.
    pub(crate) fn send_bytes(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() {
            assert!(ancillary.push(SendAncillaryMessage::ScmRights(fds)));
        }
        let parts = [IoSlice::new(bytes)];
        let sent = sendmsg(&self.stream, &parts, &mut ancillary, SendFlags::NOSIGNAL)?;
        if sent < bytes.len() {
            return self.send_bytes(&bytes[sent..], &[]);
        }
        Ok(())
    }

    /// Sends a message.
    pub(crate) fn send(
        &mut self,
        command: u16,
        flags: u32,
        body: &[u8],
        fds: &[BorrowedFd<'_>],
    ) -> io::Result<()> {
        self.id = self.id.wrapping_add(1);
        let mut bytes = header(self.id, command, 16 + body.len() as u32, flags);
        bytes.extend(body);
        self.send_bytes(&bytes, fds)
    }

    /// The answer to the last message: its body, or the number of its error.
    pub(crate) fn reply(&mut self, command: u16) -> io::Result<Result<Vec<u8>, i32>> {
        let mut bytes = [0; 16];
        self.stream.read_exact(&mut bytes)?;
        let word = |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap());
        assert_eq!(bytes[..2], self.id.to_ne_bytes());
        assert_eq!(bytes[2..4], command.to_ne_bytes());
        let (size, flags, error) = (word(4), word(8), word(12) as i32);
        assert!((16..=16 + 16 + (1 << 20)).contains(&size), "{size}");
        let mut body = vec![0; size as usize - 16];
        self.stream.read_exact(&mut body)?;
        match flags {
            REPLY => Ok(Ok(body)),
            _ => {
                assert_eq!(flags, REPLY | ERROR);
                assert!(body.is_empty() && error > 0, "error {error}");
                Ok(Err(error))
            }
        }
    }

    /// Sends a message and returns the answer: its body, or the number of its error.
    pub(crate) fn ask(&mut self, command: u16, body: &[u8]) -> Result<Vec<u8>, i32> {
        self.ask_with(command, body, &[])
    }

    /// As [`ask`](Self::ask), with descriptors.
    pub(crate) fn ask_with(
        &mut self,
        command: u16,
        body: &[u8],
        fds: &[&dyn AsFd],
    ) -> Result<Vec<u8>, i32> {
        let fds: Vec<BorrowedFd<'_>> = fds.iter().map(|fd| fd.as_fd()).collect();
        self.send(command, 0, body, &fds).unwrap();
        self.reply(command).unwrap()
    }

    /// A register.
    pub(crate) fn read_register(&mut self, register: usize) -> u32 {
        let body = access(0, register as u64, 4);
        let reply = self.ask(REGION_READ, &body).unwrap();
        assert_eq!(reply[..16], body);
        u32::from_ne_bytes(reply[16..].try_into().unwrap())
    }

    /// Says that nothing more comes.
    pub(crate) fn finish(&self) {
        // It may be closed already.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Waits until the device has closed the connection; what it said before does not matter.
    pub(crate) fn wait_closed(&mut self) {
        let mut rest = Vec::new();
        if let Err(error) = self.stream.read_to_end(&mut rest) {
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        }
    }
}
