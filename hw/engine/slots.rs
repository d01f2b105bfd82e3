// SPDX-License-Identifier: GPL-2.0

//! Where the engines write which of their jobs they have done.

use kernel::{
    device::{
        Bound,
        Device, //
    },
    dma::{
        Coherent,
        DmaAddress, //
    },
    io::{
        io_read,
        io_write, //
    },
    prelude::*, //
};

use crate::hw::abi::limits::{
    MAX_ENGINES,
    PAGE_SIZE, //
};

/// Words from one engine's slot to the next one's: a cache line.
const STRIDE: usize = 8;
const WORDS: usize = PAGE_SIZE as usize / size_of::<u64>();

/// A page with a slot for each engine. It holds the sequence number of the last job done.
pub(super) struct Slots {
    words: Coherent<[u64; WORDS]>,
    va: u64,
}

impl Slots {
    /// Bytes that they take.
    pub(super) const SIZE: u64 = PAGE_SIZE;

    /// Allocates them, to be mapped at `va`.
    pub(super) fn new(dev: &Device<Bound>, va: u64) -> Result<Self> {
        Ok(Self {
            words: Coherent::zeroed(dev, GFP_KERNEL)?,
            va,
        })
    }

    /// Where the device finds them.
    pub(super) fn dma_address(&self) -> DmaAddress {
        self.words.dma_address()
    }

    /// Address of the slot of `engine` in the kernel's address space.
    pub(super) fn va(&self, engine: u32) -> u64 {
        self.va + (Self::word(engine) * size_of::<u64>()) as u64
    }

    /// The last job that `engine` has done.
    pub(super) fn read(&self, engine: u32) -> u64 {
        u64::from_le(io_read!(self.words, [panic: Self::word(engine)]))
    }

    /// Says in place of `engine`, which does not run, that `seqno` is done.
    pub(super) fn write(&self, engine: u32, seqno: u64) {
        io_write!(self.words, [panic: Self::word(engine)], seqno.to_le());
    }

    fn word(engine: u32) -> usize {
        (engine % MAX_ENGINES) as usize * STRIDE
    }
}
