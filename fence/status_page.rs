// SPDX-License-Identifier: GPL-2.0

//! The status page of an engine.

use kernel::{
    dma::{
        Coherent,
        DmaAddress, //
    },
    io::io_read,
    prelude::*, //
};

use super::timeline::MAX_IN_FLIGHT;
use crate::rust::devres::BoundDevice;

const WORDS: usize = StatusPage::SIZE as usize / size_of::<u64>();
/// Word of the sequence number.
const LAST_SEQNO: usize = 0;
/// First word of the time stamps.
const TIMESTAMPS: usize = 8;

const _: () = assert!(TIMESTAMPS + MAX_IN_FLIGHT <= WORDS);

/// A page that an engine writes the sequence number of its last completed job to, and for each job
/// that can be in flight a time stamp.
pub(crate) struct StatusPage {
    words: Coherent<[u64; WORDS]>,
    va: u64,
}

impl StatusPage {
    /// Size in bytes, one page of the device.
    pub(crate) const SIZE: u64 = 4096;

    /// Allocates a page, to be mapped at `va` in the kernel's address space.
    pub(crate) fn new(bound: &BoundDevice, va: u64) -> Result<Self> {
        Ok(Self {
            words: bound.alloc_coherent(GFP_KERNEL)?,
            va,
        })
    }

    /// Returns the page's DMA address.
    pub(crate) fn dma_address(&self) -> DmaAddress {
        self.words.dma_address()
    }

    /// Returns the GPU address of the sequence number.
    pub(crate) fn last_seqno_va(&self) -> u64 {
        self.va_of(LAST_SEQNO)
    }

    /// Returns the GPU address of the time stamp of job `seqno`.
    pub(crate) fn timestamp_va(&self, seqno: u64) -> u64 {
        self.va_of(Self::timestamp_word(seqno))
    }

    /// Reads the sequence number of the last completed job.
    pub(crate) fn last_seqno(&self) -> u64 {
        self.read(LAST_SEQNO)
    }

    /// Reads the time stamp of job `seqno`: nanoseconds that the engine was busy, from its reset to
    /// the job's end.
    pub(crate) fn timestamp(&self, seqno: u64) -> u64 {
        self.read(Self::timestamp_word(seqno))
    }

    fn read(&self, word: usize) -> u64 {
        u64::from_le(io_read!(self.words, [panic: word]))
    }

    fn va_of(&self, word: usize) -> u64 {
        self.va + (word * size_of::<u64>()) as u64
    }

    fn timestamp_word(seqno: u64) -> usize {
        TIMESTAMPS + (seqno % MAX_IN_FLIGHT as u64) as usize
    }
}
