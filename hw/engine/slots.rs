// SPDX-License-Identifier: GPL-2.0

//! Where an engine writes which of its jobs it has done, and when.

use kernel::{
    device::{
        Bound,
        Device, //
    },
    dma::{
        Coherent,
        DmaAddress, //
    },
    io::io_read,
    prelude::*, //
};

use super::pending::MAX_JOBS;
use crate::hw::abi::limits::PAGE_SIZE;

const WORDS: usize = PAGE_SIZE as usize / size_of::<u64>();
/// The word with the sequence number of the last job done.
const DONE: usize = 0;
/// The first of the words with the time stamps.
const STAMPS: usize = 8;

const _: () = assert!(STAMPS + MAX_JOBS <= WORDS);

/// A page with the sequence number of the last job that an engine has done, and for each job that
/// can be pending, how long the engine had been busy when it was done.
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

    /// Address of the number of the last job done, in the kernel's address space.
    pub(super) fn done_va(&self) -> u64 {
        self.va_of(DONE)
    }

    /// Address of the time stamp of a job.
    pub(super) fn stamp_va(&self, seqno: u64) -> u64 {
        self.va_of(Self::stamp(seqno))
    }

    /// The number of the last job done.
    pub(super) fn done(&self) -> u64 {
        self.read(DONE)
    }

    /// Nanoseconds that the engine had been busy since its reset when it had done a job.
    pub(super) fn stamp_of(&self, seqno: u64) -> u64 {
        self.read(Self::stamp(seqno))
    }

    fn read(&self, word: usize) -> u64 {
        u64::from_le(io_read!(self.words, [panic: word]))
    }

    fn va_of(&self, word: usize) -> u64 {
        self.va + (word * size_of::<u64>()) as u64
    }

    fn stamp(seqno: u64) -> usize {
        STAMPS + (seqno % MAX_JOBS as u64) as usize
    }
}
