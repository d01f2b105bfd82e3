// SPDX-License-Identifier: GPL-2.0

//! The server's side of the vfio-user protocol, version 0.0, as QEMU's
//! `docs/interop/vfio-user.rst` has it.
//!
//! [`serve`] answers the messages of one client with what a [`Device`] says. A request that cannot
//! be met is answered with an error number and changes nothing; only a stream that cannot be
//! understood any more ends the connection. [`wire`] has the layout of messages, [`stream`] sends
//! and receives them with their descriptors, [`version`] agrees on the version, [`session`] is the
//! loop, and [`refuse`] turns a client away.

mod refuse;
mod session;
mod stream;
mod version;
mod wire;

use std::borrow::Cow;
use std::fmt;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::io::Errno;

pub use refuse::refuse;
pub use session::{End, serve};

/// The most bytes that one access to a region moves.
pub const MAX_DATA: usize = 1 << 20;

/// The most file descriptors that come with a message.
pub const MAX_FDS: usize = 16;

/// The reason why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The error number that the client gets.
    pub errno: Errno,
    /// The reason, for the log.
    pub reason: Cow<'static, str>,
}

impl Refusal {
    /// A refusal with an error number and a reason.
    pub fn new(errno: Errno, reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            errno,
            reason: reason.into(),
        }
    }

    /// A refusal of a request that makes no sense, with `EINVAL`.
    pub fn invalid(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Errno::INVAL, reason)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.reason)
    }
}

/// A region of a device.
#[derive(Clone, Copy, Debug, Default)]
pub struct Region<'a> {
    /// Bytes; 0 if the device has no such region.
    pub size: u64,
    /// `VFIO_REGION_INFO_FLAG_*`, without what `file` implies.
    pub flags: u32,
    /// The file that a client may map instead of sending accesses: the region is its start.
    pub file: Option<BorrowedFd<'a>>,
}

/// The interrupts of an index.
#[derive(Clone, Copy, Debug, Default)]
pub struct Interrupts {
    /// Number of vectors; 0 if the device has none.
    pub count: u32,
    /// `VFIO_IRQ_INFO_*`.
    pub flags: u32,
}

/// A DMA_MAP request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DmaMap {
    /// First address.
    pub address: u64,
    /// Bytes.
    pub size: u64,
    /// Where the memory begins in its file.
    pub offset: u64,
    /// The device may read it.
    pub read: bool,
    /// The device may write it.
    pub write: bool,
}

/// A DMA_UNMAP request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DmaUnmap {
    /// All of them.
    All,
    /// `size` bytes from `address`.
    Range {
        /// First address.
        address: u64,
        /// Bytes.
        size: u64,
    },
}

/// A change of vectors that a client asks for.
#[derive(Debug)]
pub enum IrqAction {
    /// Connects each vector to an event, or disconnects it.
    Connect(Vec<Option<OwnedFd>>),
    /// Disconnects all vectors of the index.
    Disconnect,
    /// Sends the messages of so many vectors.
    Trigger(u32),
}

/// A device behind the protocol.
pub trait Device {
    /// The regions, by index.
    fn regions(&self) -> u32;

    /// A region. `index` is below [`regions`](Self::regions).
    fn region(&self, index: u32) -> Region<'_>;

    /// The indices of interrupts.
    fn irqs(&self) -> u32;

    /// The interrupts of an index. `index` is below [`irqs`](Self::irqs).
    fn irq(&self, index: u32) -> Interrupts;

    /// Sees those parts of a client's message that may arrive as something else, and may change
    /// them.
    fn arrives(&mut self, _part: &mut [u8]) {}

    /// Reads a region, at most [`MAX_DATA`] bytes. What is not there reads as ones.
    fn region_read(&mut self, region: u32, offset: u64, data: &mut [u8]);

    /// Writes a region, at most [`MAX_DATA`] bytes. What is not there ignores it.
    fn region_write(&mut self, region: u32, offset: u64, data: &[u8]);

    /// Makes memory reachable at DMA addresses. Without a file it cannot be, and what was there
    /// before is gone.
    fn dma_map(&mut self, map: DmaMap, file: Option<OwnedFd>) -> Result<(), Refusal>;

    /// Makes DMA addresses unreachable, once no access to them is under way.
    fn dma_unmap(&mut self, unmap: DmaUnmap) -> Result<(), Refusal>;

    /// Resets the device.
    fn reset(&mut self);

    /// Does something with the vectors of an index from number `start`. `index` is below
    /// [`irqs`](Self::irqs).
    fn set_irqs(&mut self, index: u32, start: u32, action: IrqAction) -> Result<(), Refusal>;
}
