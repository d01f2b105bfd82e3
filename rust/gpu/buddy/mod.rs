// SPDX-License-Identifier: GPL-2.0 OR MIT

//! What a driver needs beside [`kernel::gpu::buddy`]: memory that is known to be zero, the
//! fragmentation of the rest, chunks that are ready for the next request of one, and chunks that
//! are never handed out again.
//!
//! The blocks are the kernel crate's, and allocated by it alone. What is known of chunks beyond that
//! is kept in [sets](chunks) of them, under a lock that is taken outside of its own.
//!
//! C header: [`include/linux/gpu_buddy.h`](srctree/include/linux/gpu_buddy.h)

mod blocks;
mod chunks;
mod print;
mod retired;
mod spare;

use core::ops::Range;

use kernel::{
    gpu::buddy::{
        AllocatedBlocks,
        GpuBuddy,
        GpuBuddyAllocFlag,
        GpuBuddyAllocFlags,
        GpuBuddyAllocMode,
        GpuBuddyParams, //
    },
    new_mutex,
    prelude::*,
    ptr::Alignment,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        Mutex, //
    }, //
};

use self::{
    chunks::Chunks,
    retired::Retired,
    spare::Spares, //
};

pub use self::blocks::{
    Block,
    Blocks,
    Cleared,
    Clearing, //
};

/// A request to a [`Buddy`].
#[derive(Clone)]
pub struct Request {
    /// Where to allocate.
    pub mode: GpuBuddyAllocMode,
    /// Size in bytes, a multiple of the chunk size.
    pub size: u64,
    /// Size in bytes of the smallest block, which is aligned to that, too.
    pub min_block: Alignment,
    /// The range to try first, which is used if the request fits into it as a whole.
    pub preferred: Option<Range<u64>>,
    /// Set to allocate one extent, which may be several blocks.
    pub contiguous: bool,
    /// It has to read as zeros: preferably of what is known to do so. Otherwise preferably of what is
    /// not.
    pub zeroed: bool,
}

impl Request {
    /// Returns whether any chunk of `chunk` bytes in the range will do.
    fn is_for_any(&self, chunk: u64) -> bool {
        self.size == chunk
            && self.min_block.as_usize() as u64 == chunk
            && self.mode != GpuBuddyAllocMode::TopDown
    }

    /// Returns the range to allocate from, of a memory of `size` bytes.
    fn range(&self, size: u64) -> Range<u64> {
        match &self.mode {
            GpuBuddyAllocMode::Range(range) => range.clone(),
            _ => 0..size,
        }
    }

    /// Allocates blocks of `buddy` in a mode, which may be another than that of the request.
    fn alloc(
        &self,
        buddy: &GpuBuddy,
        mode: GpuBuddyAllocMode,
    ) -> Result<Pin<KBox<AllocatedBlocks>>> {
        let flags = if self.contiguous {
            GpuBuddyAllocFlag::Contiguous.into()
        } else {
            GpuBuddyAllocFlags::default()
        };

        KBox::pin_init(
            buddy.alloc_blocks(mode, self.size, self.min_block, flags),
            GFP_KERNEL,
        )
    }
}

/// The state of an allocator beyond what the kernel crate keeps.
struct Known {
    /// The chunks that are free, spare ones included.
    free: Chunks,
    /// Those of them that are known to be zero.
    zero: Chunks,
    spares: Spares,
    retired: Retired,
}

/// An allocator, and what is known of its chunks.
///
/// Blocks are allocated and freed with `known` locked.
#[pin_data]
struct Inner {
    buddy: GpuBuddy,
    #[pin]
    known: Mutex<Known>,
    /// The number of times that [`Buddy::forget_zeros()`] was called. Changes with the lock held.
    forgotten: Atomic<u64>,
}

impl Inner {
    fn new(size: u64, chunk: Alignment) -> impl PinInit<Self, Error> {
        let bytes = chunk.as_usize() as u64;
        let size = size - size % bytes;

        try_pin_init!(Self {
            buddy: GpuBuddy::new(GpuBuddyParams {
                base_offset: 0,
                size,
                chunk_size: chunk,
            })?,
            known <- new_mutex!(
                Known {
                    free: Chunks::new(chunk, size, true)?,
                    zero: Chunks::new(chunk, size, false)?,
                    spares: Spares::new(),
                    retired: Retired::new(),
                },
                "Buddy::known"
            ),
            forgotten: Atomic::new(0),
        })
    }

    /// Returns the size of the smallest block in bytes.
    fn chunk_size(&self) -> u64 {
        self.buddy.chunk_size().as_usize() as u64
    }

    /// Allocates the blocks of a request, of which `known`, which is that of the allocator, is not
    /// told.
    fn take(&self, known: &mut Known, request: &Request) -> Result<Pin<KBox<AllocatedBlocks>>> {
        let range = request.range(self.buddy.size());

        if request.is_for_any(self.chunk_size()) {
            if let Some(chunk) = known.spares.take(&range) {
                return Ok(chunk);
            }
        }
        let alloc = |mode| request.alloc(&self.buddy, mode);

        if let Some(preferred) = &request.preferred {
            if let Ok(blocks) = alloc(GpuBuddyAllocMode::Range(preferred.clone())) {
                return Ok(blocks);
            }
        }
        if let Some(extent) = known.suited_extent(request, range) {
            if let Ok(blocks) = alloc(GpuBuddyAllocMode::Range(extent)) {
                return Ok(blocks);
            }
        }
        match alloc(request.mode.clone()) {
            Err(ENOSPC) if !known.spares.is_empty() => {
                known.spares.flush();
                alloc(request.mode.clone())
            }
            done => done,
        }
    }
}

impl Known {
    /// Returns a free extent of `range` for a request, all of it known to be zero if that is to be,
    /// or else none of it. [`None`] if there is no reason to look for one, or none.
    ///
    /// In the order of addresses, which the allocator gives an extent that is just large enough in,
    /// blocks would be less aligned than in the order of their sizes.
    fn suited_extent(&self, request: &Request, range: Range<u64>) -> Option<Range<u64>> {
        if self.zero.bytes() == 0
            || request.size < request.min_block.as_usize() as u64
            || request.mode == GpuBuddyAllocMode::TopDown
        {
            return None;
        }
        let is_suited = |extent: &Range<u64>| {
            let size = extent.end - extent.start;
            let whole = request.size.next_power_of_two();

            size > request.size || size == request.size && extent.start % whole == 0
        };
        if request.zeroed {
            self.zero.extents(range).find(is_suited)
        } else {
            self.free.extents_without(&self.zero, range).find(is_suited)
        }
    }
}

/// An allocator of blocks whose sizes are powers of two: a [`GpuBuddy`] with what that lacks.
///
/// It remembers of free chunks whether they are known to be zero; at first, none is. A few single
/// chunks are kept for the next requests of one, and not joined with their neighbours unless an
/// allocation finds no room because of that. A chunk can be retired, as one of memory that went bad
/// is.
///
/// # Examples
///
/// ```
/// use kernel::{gpu::buddy::GpuBuddyAllocMode, prelude::*, ptr::Alignment, sizes::SZ_4K};
/// # use crate::rust::gpu::buddy::{Buddy, Request};
///
/// let page = SZ_4K as u64;
/// let buddy = Buddy::new(16 * page, Alignment::new::<SZ_4K>())?;
/// let request = Request {
///     mode: GpuBuddyAllocMode::Simple,
///     size: 3 * page,
///     min_block: Alignment::new::<SZ_4K>(),
///     preferred: None,
///     contiguous: false,
///     zeroed: true,
/// };
///
/// // At first nothing is known. The driver clears the blocks, and no job writes them.
/// let blocks = buddy.alloc(&request)?;
/// assert_eq!(blocks.iter().map(|block| block.size).sum::<u64>(), 3 * page);
/// blocks.clearing().ok_or(EINVAL)?.done();
/// drop(blocks);
/// assert_eq!(buddy.cleared(), 3 * page);
///
/// // The next request for zeros gets them: there is nothing to clear.
/// let blocks = buddy.alloc(&request)?;
/// assert!(blocks.clearing().is_none());
///
/// // Once they may have been written, they are not known to be zero any more.
/// blocks.mark_used();
/// drop(blocks);
/// assert_eq!(buddy.cleared(), 0);
/// assert_eq!(buddy.free(), buddy.size());
/// # Ok::<(), Error>(())
/// ```
pub struct Buddy(Arc<Inner>);

impl Buddy {
    /// Creates an allocator of `size` bytes from offset 0 on, in multiples of `chunk`, which is at
    /// least 4 KiB. `EINVAL` when it is less or `size` is less than that.
    pub fn new(size: u64, chunk: Alignment) -> Result<Self> {
        Ok(Self(Arc::pin_init(Inner::new(size, chunk), GFP_KERNEL)?))
    }

    /// Returns the size in bytes, free or not.
    pub fn size(&self) -> u64 {
        self.0.buddy.size()
    }

    /// Returns the size of the smallest block in bytes.
    pub fn chunk_size(&self) -> u64 {
        self.0.chunk_size()
    }

    /// Returns the bytes that are free.
    pub fn free(&self) -> u64 {
        self.0.known.lock().free.bytes()
    }

    /// Returns the bytes that are free and known to be zero.
    pub fn cleared(&self) -> u64 {
        self.0.known.lock().zero.bytes()
    }

    /// Returns the number of free blocks of each order: element `n` is about blocks of
    /// `chunk_size() << n` bytes.
    pub fn free_blocks(&self) -> Result<KVec<u64>> {
        let shift = self.0.buddy.chunk_size().log2();
        let orders = (self.size() >> shift).ilog2() + 1;
        let mut counts = KVec::from_elem(0, orders as usize, GFP_KERNEL)?;

        for extent in self.0.known.lock().free.extents(0..self.size()) {
            let (mut at, end) = (extent.start >> shift, extent.end >> shift);

            // Free buddies are always joined: each block is as large as its place allows.
            while at < end {
                let order = at.trailing_zeros().min((end - at).ilog2());

                counts[order as usize] += 1;
                at += 1 << order;
            }
        }
        Ok(counts)
    }

    /// Forgets what is known to be zero, of free memory and of what is allocated now: the memory has
    /// lost its content.
    pub fn forget_zeros(&self) {
        let mut known = self.0.known.lock();

        self.0.forgotten.fetch_add(1, Relaxed);
        known.zero.clear();
    }

    /// Takes the chunk that starts at `offset` out of use for good, now or when it is freed.
    /// Returns whether it is still in use. `EINVAL` if no chunk starts there.
    pub fn retire(&self, offset: u64) -> Result<bool> {
        if offset >= self.size() || offset % self.chunk_size() != 0 {
            return Err(EINVAL);
        }
        Retired::add(&self.0, &mut self.0.known.lock(), offset)
    }

    /// Returns the offset of each retired chunk, and whether the chunk is still in use.
    pub fn retired(&self) -> Result<KVec<(u64, bool)>> {
        let known = self.0.known.lock();
        let mut list = KVec::with_capacity(known.retired.len(), GFP_KERNEL)?;

        for entry in known.retired.iter() {
            list.push(entry, GFP_KERNEL)?;
        }
        Ok(list)
    }

    /// Allocates. `ENOSPC` when there is no room, `EINVAL` for a request that can never be met.
    pub fn alloc(&self, request: &Request) -> Result<Blocks> {
        Blocks::alloc(self.0.clone(), request)
    }
}
