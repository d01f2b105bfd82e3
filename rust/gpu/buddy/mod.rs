// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The GPU buddy allocator, with what the kernel crate's abstraction of it leaves out: memory that
//! is known to be zero, and how fragmented the rest is.
//!
//! C header: [`include/linux/gpu_buddy.h`](srctree/include/linux/gpu_buddy.h)

mod blocks;
mod retired;
mod spare;

use core::ops::Range;

use kernel::{
    error::to_result,
    new_mutex,
    prelude::*,
    ptr::Alignment,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        lock::mutex::MutexGuard,
        Arc,
        Mutex, //
    },
    types::Opaque, //
};

use self::{
    retired::Retired,
    spare::Spares, //
};
use crate::rust::bindings;

pub use self::blocks::{
    Block,
    Blocks,
    Cleared,
    Clearing, //
};

/// A request to a [`Buddy`].
#[derive(Clone)]
pub struct Request {
    /// Size in bytes, a multiple of the chunk size.
    pub size: u64,
    /// Size in bytes of the smallest block, which is aligned to that, too.
    pub min_block: Alignment,
    /// The range to allocate from; all of the memory if [`None`].
    pub range: Option<Range<u64>>,
    /// The range to try first, which is used if the request fits into it as a whole.
    pub preferred: Option<Range<u64>>,
    /// Set to allocate from the end, unless there is a range.
    pub top_down: bool,
    /// Set to allocate one extent, which may be several blocks.
    pub contiguous: bool,
    /// It has to read as zeros: preferably of what is known to do so. Otherwise preferably of what is
    /// not.
    pub zeroed: bool,
}

impl Request {
    fn flags(&self) -> usize {
        let flag = |set, flag| if set { flag } else { 0 };

        flag(self.range.is_some(), bindings::GPU_BUDDY_RANGE_ALLOCATION)
            | flag(self.top_down, bindings::GPU_BUDDY_TOPDOWN_ALLOCATION)
            | flag(self.contiguous, bindings::GPU_BUDDY_CONTIGUOUS_ALLOCATION)
            | flag(self.zeroed, bindings::GPU_BUDDY_CLEAR_ALLOCATION)
    }

    /// Returns whether any chunk of `chunk` bytes in the range will do.
    fn is_for_any(&self, chunk: u64) -> bool {
        self.size == chunk && self.min_block.as_usize() as u64 == chunk && !self.top_down
    }
}

/// The state of an allocator beyond what C keeps.
struct Known {
    spares: Spares,
    retired: Retired,
}

/// The allocator, locked by `lock`.
///
/// # Invariants
///
/// `raw` is an initialised `gpu_buddy`, which is accessed with `lock` held but for its constant
/// fields.
#[pin_data(PinnedDrop)]
struct Inner {
    #[pin]
    raw: Opaque<bindings::gpu_buddy>,
    #[pin]
    lock: Mutex<Known>,
    /// The number of times that [`Buddy::forget_zeros()`] was called. Changes with the lock held.
    forgotten: Atomic<u64>,
}

// SAFETY: The allocator belongs to no thread.
unsafe impl Send for Inner {}
// SAFETY: By the type invariants `lock` serialises all access.
unsafe impl Sync for Inner {}

impl Inner {
    fn new(size: u64, chunk: Alignment) -> impl PinInit<Self, Error> {
        // INVARIANT: It is initialised, or there is none.
        try_pin_init!(Self {
            raw <- Opaque::try_ffi_init(|raw| {
                // SAFETY: `raw` is where the structure goes.
                to_result(unsafe { bindings::gpu_buddy_init(raw, size, chunk.as_usize() as u64) })
            }),
            lock <- new_mutex!(
                Known {
                    spares: Spares::new(),
                    retired: Retired::new(),
                },
                "Buddy::lock"
            ),
            forgotten: Atomic::new(0),
        })
    }

    /// The allocator, and what is known of it as long as it is locked.
    fn lock(&self) -> (*mut bindings::gpu_buddy, MutexGuard<'_, Known>) {
        (self.raw.get(), self.lock.lock())
    }

    /// Locks as [`Self::lock()`] does, without spare chunks: all that is free is in the allocator.
    fn lock_whole(&self) -> (*mut bindings::gpu_buddy, MutexGuard<'_, Known>) {
        let (raw, mut known) = self.lock();

        // SAFETY: Initialised by the type invariants, and locked.
        unsafe { known.spares.flush(raw) };
        (raw, known)
    }

    /// Returns the size of the smallest block in bytes.
    fn chunk_size(&self) -> u64 {
        // SAFETY: Initialised by the type invariants; the field is constant.
        unsafe { (*self.raw.get()).chunk_size }
    }
}

#[pinned_drop]
impl PinnedDrop for Inner {
    fn drop(self: Pin<&mut Self>) {
        let (raw, mut known) = self.lock_whole();
        // SAFETY: Initialised by the type invariants, and locked.
        unsafe { known.retired.free(raw) };
        drop(known);
        // SAFETY: Initialised by the type invariants. It is not shared, and all blocks are free:
        // the spare and the retired ones just now, and each other keeps a reference.
        unsafe { bindings::gpu_buddy_fini(self.raw.get()) };
    }
}

/// An allocator of blocks whose sizes are powers of two.
///
/// It remembers of free blocks whether they are known to be zero; at first, none is. A few single
/// chunks are kept for the next requests of one, and not joined with their neighbours unless an
/// allocation finds no room because of that. A chunk can be retired, as one of memory that went bad
/// is.
pub struct Buddy(Arc<Inner>);

impl Buddy {
    /// Creates an allocator of `size` bytes from offset 0 on, in multiples of `chunk`, which is at
    /// least 4 KiB. `EINVAL` when it is less or `size` is less than that.
    ///
    /// C: `gpu_buddy_init()`.
    pub fn new(size: u64, chunk: Alignment) -> Result<Self> {
        Ok(Self(Arc::pin_init(Inner::new(size, chunk), GFP_KERNEL)?))
    }

    /// Returns the size in bytes, free or not.
    pub fn size(&self) -> u64 {
        // SAFETY: Initialised by the type invariants; the field is constant.
        unsafe { (*self.0.raw.get()).size }
    }

    /// Returns the size of the smallest block in bytes.
    pub fn chunk_size(&self) -> u64 {
        self.0.chunk_size()
    }

    /// Returns the bytes that are free.
    pub fn free(&self) -> u64 {
        let (raw, _guard) = self.0.lock_whole();
        // SAFETY: Initialised by the type invariants, and locked.
        unsafe { (*raw).avail }
    }

    /// Returns the bytes that are free and known to be zero.
    pub fn cleared(&self) -> u64 {
        let (raw, _guard) = self.0.lock_whole();
        // SAFETY: As above.
        unsafe { (*raw).clear_avail }
    }

    /// Returns the number of free blocks of each order: element `n` is about blocks of
    /// `chunk_size() << n` bytes.
    ///
    /// Two neighbours of which only one is known to be zero count as two.
    pub fn free_blocks(&self) -> Result<KVec<u64>> {
        // SAFETY: Initialised by the type invariants; the field is constant.
        let orders = unsafe { (*self.0.raw.get()).max_order } as usize + 1;
        let mut counts = KVec::from_elem(0, orders, GFP_KERNEL)?;

        let (raw, _guard) = self.0.lock_whole();
        for (order, count) in counts.iter_mut().enumerate() {
            // SAFETY: Initialised by the type invariants, and locked; there is such an order.
            *count = unsafe { bindings::rgt_gpu_buddy_free_blocks(raw, order as u32) };
        }
        Ok(counts)
    }

    /// Forgets what is known to be zero, of free memory and of what is allocated now: the memory has
    /// lost its content.
    ///
    /// C: `gpu_buddy_reset_clear()`.
    pub fn forget_zeros(&self) {
        let (raw, _guard) = self.0.lock_whole();
        self.0.forgotten.fetch_add(1, Relaxed);
        // SAFETY: As above.
        unsafe { bindings::gpu_buddy_reset_clear(raw, false) };
    }

    /// Takes the chunk that starts at `offset` out of use for good, now or when it is freed.
    /// Returns whether it is still in use. `EINVAL` if no chunk starts there.
    pub fn retire(&self, offset: u64) -> Result<bool> {
        let chunk = self.chunk_size();
        if offset >= self.size() || offset % chunk != 0 {
            return Err(EINVAL);
        }

        let (raw, mut known) = self.0.lock();
        let Known { spares, retired } = &mut *known;
        // SAFETY: Initialised by the type invariants, and locked; a chunk starts there.
        unsafe { retired.add(raw, spares, chunk, offset) }
    }

    /// Returns the offset of each retired chunk, and whether the chunk is still in use.
    pub fn retired(&self) -> Result<KVec<(u64, bool)>> {
        let (_, known) = self.0.lock();
        let mut list = KVec::with_capacity(known.retired.len(), GFP_KERNEL)?;

        for entry in known.retired.iter() {
            list.push(entry, GFP_KERNEL)?;
        }
        Ok(list)
    }

    /// Allocates. `ENOSPC` when there is no room, `EINVAL` for a request that can never be met.
    ///
    /// C: `gpu_buddy_alloc_blocks()`.
    pub fn alloc(&self, request: Request) -> impl PinInit<Blocks, Error> {
        Blocks::alloc(self.0.clone(), request)
    }
}
