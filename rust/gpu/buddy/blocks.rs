// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The blocks of an allocation of a [`Buddy`](super::Buddy).

use core::ops::Range;

use kernel::{
    gpu::buddy::{
        AllocatedBlock,
        AllocatedBlocks, //
    },
    prelude::*,
    sync::{
        atomic::{
            AtomicFlag,
            Relaxed, //
        },
        Arc, //
    }, //
};

use super::{
    Inner,
    Known,
    Request,
    Retired, //
};

/// Blocks of a [`Buddy`](super::Buddy), free when they are dropped.
pub struct Blocks {
    /// Only [`None`] while they are freed.
    blocks: Option<Pin<KBox<AllocatedBlocks>>>,
    zeros: Zeros,
    /// The clear of what is not known to be zero.
    clearing: Option<Clearing>,
    /// Set when they may have been written.
    used: AtomicFlag,
    /// [`Inner::forgotten`] when they were allocated, or before.
    forgotten: u64,
    buddy: Arc<Inner>,
}

/// The part of some blocks that was known to be zero when they were allocated.
enum Zeros {
    None,
    /// All of them as parts, each of which is known to be zero as a whole, or not.
    Some(KVec<Block>),
    All,
}

impl Zeros {
    /// Returns what `known` says of blocks that have just been taken of it.
    fn of(blocks: &AllocatedBlocks, known: &Known) -> Result<Self> {
        let sum = |f: &dyn Fn(Range<u64>) -> u64| blocks.iter().map(|block| f(range(&block))).sum();
        let zero: u64 = sum(&|range| known.zero.bytes_in(range));

        if zero == 0 {
            return Ok(Self::None);
        }
        if zero == sum(&|range| range.end - range.start) {
            return Ok(Self::All);
        }
        let mut parts = KVec::new();
        for block in blocks.iter() {
            let mut left = range(&block);

            while !left.is_empty() {
                let (cleared, size) = known.zero.part(left.clone());
                let part = Block {
                    offset: left.start,
                    size,
                    cleared,
                };

                parts.push(part, GFP_KERNEL)?;
                left.start += size;
            }
        }
        Ok(Self::Some(parts))
    }
}

impl Blocks {
    /// See [`Buddy::alloc()`](super::Buddy::alloc).
    pub(super) fn alloc(buddy: Arc<Inner>, request: &Request) -> Result<Self> {
        let clearing = Clearing::new(request)?;
        let mut known = buddy.known.lock();
        let forgotten = buddy.forgotten.load(Relaxed);
        let blocks = buddy.take(&mut known, request)?;
        let zeros = Zeros::of(&blocks, &known)?;

        for block in blocks.iter() {
            known.free.remove(range(&block));
            known.zero.remove(range(&block));
        }
        drop(known);
        Ok(Self {
            blocks: Some(blocks),
            zeros,
            clearing,
            used: AtomicFlag::new(false),
            forgotten,
            buddy,
        })
    }

    /// Returns the blocks in the order of the bytes that were asked for, largest first. One of
    /// which only a part is known to be zero comes in parts.
    pub fn iter(&self) -> impl Iterator<Item = Block> + '_ {
        let known = self.is_known();
        let (parts, whole, zero) = match &self.zeros {
            Zeros::None => (&[][..], self.blocks.as_ref(), false),
            Zeros::Some(parts) => (&parts[..], None, false),
            Zeros::All => (&[][..], self.blocks.as_ref(), true),
        };
        let parts = parts.iter().map(move |part| Block {
            cleared: part.cleared && known,
            ..*part
        });
        let whole = whole.into_iter().flat_map(|blocks| blocks.iter());

        let whole = whole.map(move |block| Block {
            offset: block.offset(),
            size: block.size(),
            cleared: zero && known,
        });

        Iterator::chain(parts, whole)
    }

    /// Returns whether what was known at the allocation is still known: [`Buddy::forget_zeros()`]
    /// was not called since.
    ///
    /// [`Buddy::forget_zeros()`]: super::Buddy::forget_zeros
    fn is_known(&self) -> bool {
        self.forgotten == self.buddy.forgotten.load(Relaxed)
    }

    /// Notes that the blocks may be written: when they are free again, they are not known to be
    /// zero.
    pub fn mark_used(&self) {
        self.used.store(true, Relaxed);
    }

    /// Returns how many of the blocks were known to be zero when they were allocated, unless the
    /// allocator has been told since that all content was lost.
    pub fn cleared(&self) -> Cleared {
        match self.zeros {
            _ if !self.is_known() => Cleared::None,
            Zeros::None => Cleared::None,
            Zeros::Some(_) => Cleared::Some,
            Zeros::All => Cleared::All,
        }
    }

    /// Returns the clear of the blocks that are not known to be zero, if they have to be.
    pub fn clearing(&self) -> Option<Clearing> {
        if self.cleared() == Cleared::All {
            return None;
        }
        self.clearing.clone()
    }

    /// Returns whether all of it is known to be zero. The allocator must be locked, so that this
    /// stays true.
    fn is_zero(&self) -> bool {
        let done = self.clearing.as_ref().is_some_and(Clearing::is_done);

        !self.used.load(Relaxed) && (done || self.cleared() == Cleared::All) && self.is_known()
    }
}

impl Drop for Blocks {
    fn drop(&mut self) {
        let mut guard = self.buddy.known.lock();
        let zero = self.is_zero();
        let Some(blocks) = self.blocks.take() else {
            return;
        };

        let known = &mut *guard;
        for block in blocks.iter() {
            known.free.add(range(&block));
            if zero {
                known.zero.add(range(&block));
            }
        }
        known.spares.put(blocks);
        Retired::catch_up(&self.buddy, known);
    }
}

/// Returns the bytes of a block.
fn range(block: &AllocatedBlock<'_>) -> Range<u64> {
    block.offset()..block.offset() + block.size()
}

/// A clear of [`Blocks`], which may take longer than they are allocated.
#[derive(Clone)]
pub struct Clearing(Arc<AtomicFlag>);

impl Clearing {
    fn new(request: &Request) -> Result<Option<Self>> {
        if !request.zeroed {
            return Ok(None);
        }
        Ok(Some(Self(Arc::new(AtomicFlag::new(false), GFP_KERNEL)?)))
    }

    /// Notes that all blocks are zero now. They still are when they are free unless they are
    /// written before, or lose their content.
    pub fn done(&self) {
        self.0.store(true, Relaxed);
    }

    fn is_done(&self) -> bool {
        self.0.load(Relaxed)
    }
}

/// The part of some blocks that is known to be zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cleared {
    /// No block.
    None,
    /// Some of them, but not all.
    Some,
    /// All of them.
    All,
}

/// The place and the state of an allocated block, or of a part of one.
#[derive(Clone, Copy)]
pub struct Block {
    /// Offset of its first byte.
    pub offset: u64,
    /// Size in bytes.
    pub size: u64,
    /// Set if it was known to be zero when it was allocated, and has not lost its content since.
    pub cleared: bool,
}
