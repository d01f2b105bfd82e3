// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The GPU buddy allocator, with what the kernel crate's abstraction of it leaves out: memory that
//! is known to be zero, and how fragmented the rest is.
//!
//! C header: [`include/linux/gpu_buddy.h`](srctree/include/linux/gpu_buddy.h)

use crate::rust::bindings;
use core::ops::Range;
use kernel::{
    clist_create,
    error::to_result,
    interop::list::CListHead,
    new_mutex,
    prelude::*,
    ptr::Alignment,
    sync::{
        atomic::{
            AtomicFlag,
            Relaxed, //
        },
        lock::mutex::MutexGuard,
        Arc,
        Mutex, //
    },
    types::Opaque, //
};

/// What is asked of a [`Buddy`].
#[derive(Clone)]
pub struct Request {
    /// Bytes, a multiple of the chunk size.
    pub size: u64,
    /// Bytes of the smallest block, which is aligned to that, too.
    pub min_block: Alignment,
    /// Where; anywhere if [`None`].
    pub range: Option<Range<u64>>,
    /// From the end, unless there is a range.
    pub top_down: bool,
    /// In one piece, which may be several blocks.
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
    lock: Mutex<()>,
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
            lock <- new_mutex!((), "Buddy::lock"),
        })
    }

    /// The allocator, and that it is locked.
    fn lock(&self) -> (*mut bindings::gpu_buddy, MutexGuard<'_, ()>) {
        (self.raw.get(), self.lock.lock())
    }
}

#[pinned_drop]
impl PinnedDrop for Inner {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: Initialised by the type invariants. Nobody else has it, and all blocks are free,
        // as each keeps a reference.
        unsafe { bindings::gpu_buddy_fini(self.raw.get()) };
    }
}

/// An allocator of blocks whose sizes are powers of two.
///
/// It remembers of free blocks whether they are known to be zero; at first, none is.
pub struct Buddy(Arc<Inner>);

impl Buddy {
    /// Makes an allocator of `size` bytes from offset 0 on, in multiples of `chunk`, which is at
    /// least 4 KiB. `EINVAL` when it is less or `size` is less than that.
    ///
    /// C: `gpu_buddy_init()`.
    pub fn new(size: u64, chunk: Alignment) -> Result<Self> {
        Ok(Self(Arc::pin_init(Inner::new(size, chunk), GFP_KERNEL)?))
    }

    /// Bytes, free or not.
    pub fn size(&self) -> u64 {
        // SAFETY: Initialised by the type invariants; the field is constant.
        unsafe { (*self.0.raw.get()).size }
    }

    /// Bytes of the smallest block.
    pub fn chunk_size(&self) -> u64 {
        // SAFETY: As above.
        unsafe { (*self.0.raw.get()).chunk_size }
    }

    /// Bytes that are free.
    pub fn free(&self) -> u64 {
        let (raw, _guard) = self.0.lock();
        // SAFETY: Initialised by the type invariants, and locked.
        unsafe { (*raw).avail }
    }

    /// Bytes that are free and known to be zero.
    pub fn cleared(&self) -> u64 {
        let (raw, _guard) = self.0.lock();
        // SAFETY: As above.
        unsafe { (*raw).clear_avail }
    }

    /// How many free blocks there are of each order: element `n` is about blocks of
    /// `chunk_size() << n` bytes.
    ///
    /// Two neighbours of which only one is known to be zero count as two.
    pub fn free_blocks(&self) -> Result<KVec<u64>> {
        // SAFETY: Initialised by the type invariants; the field is constant.
        let orders = unsafe { (*self.0.raw.get()).max_order } as usize + 1;
        let mut counts = KVec::from_elem(0, orders, GFP_KERNEL)?;

        let (raw, _guard) = self.0.lock();
        for (order, count) in counts.iter_mut().enumerate() {
            // SAFETY: Initialised by the type invariants, and locked; there is such an order.
            *count = unsafe { bindings::rgt_gpu_buddy_free_blocks(raw, order as u32) };
        }
        Ok(counts)
    }

    /// Forgets, or claims, that all free memory is known to be zero.
    ///
    /// C: `gpu_buddy_reset_clear()`.
    pub fn reset_clear(&self, cleared: bool) {
        let (raw, _guard) = self.0.lock();
        // SAFETY: As above.
        unsafe { bindings::gpu_buddy_reset_clear(raw, cleared) };
    }

    /// Allocates. `ENOSPC` when there is no room, `EINVAL` for a request that can never be met.
    ///
    /// C: `gpu_buddy_alloc_blocks()`.
    pub fn alloc(&self, request: Request) -> impl PinInit<Blocks, Error> {
        let buddy = self.0.clone();

        try_pin_init!(Blocks {
            list <- CListHead::new(),
            clearing: Clearing::new(&request)?,
            used: AtomicFlag::new(false),
            _: {
                // Also without a range: it is where neighbours are joined of which one is zero.
                // SAFETY: Initialised by the type invariants; the field is constant.
                let size = unsafe { (*buddy.raw.get()).size };
                let Range { start, end } = request.range.clone().unwrap_or(0..size);
                if start >= end {
                    Err::<(), Error>(EINVAL)?;
                }
                let (raw, _guard) = buddy.lock();
                // SAFETY: Initialised by the type invariants, and locked; `list` is an empty list.
                to_result(unsafe {
                    bindings::gpu_buddy_alloc_blocks(
                        raw,
                        start,
                        end,
                        request.size,
                        request.min_block.as_usize() as u64,
                        list.as_raw(),
                        request.flags(),
                    )
                })?
            },
            buddy,
        }? Error)
    }
}

/// Blocks of a [`Buddy`], free when they are dropped.
///
/// # Invariants
///
/// `list` is a list of blocks that `buddy` has allocated, which does not change.
#[pin_data(PinnedDrop)]
pub struct Blocks {
    #[pin]
    list: CListHead,
    /// The clear of what is not known to be zero.
    clearing: Option<Clearing>,
    /// Somebody may have written there.
    used: AtomicFlag,
    buddy: Arc<Inner>,
}

impl Blocks {
    /// The blocks in the order of the bytes that were asked for, largest first.
    pub fn iter(&self) -> impl Iterator<Item = Block> + '_ {
        // SAFETY: Initialised by the type invariants; the field is constant.
        let chunk = unsafe { (*self.buddy.raw.get()).chunk_size };
        // SAFETY: By the type invariants the list has such blocks and does not change; `Raw` is
        // transparent over them.
        let list = unsafe {
            clist_create!(
                self.list.as_raw(),
                Raw,
                bindings::gpu_buddy_block,
                __bindgen_anon_1.link
            )
        };

        list.iter().map(move |raw| raw.block(chunk))
    }

    /// Says that somebody may write there: it is not known to be zero when it is free again.
    pub fn mark_used(&self) {
        self.used.store(true, Relaxed);
    }

    /// The clear of the blocks that are not known to be zero, if they have to be.
    pub fn clearing(&self) -> Option<Clearing> {
        if self.iter().all(|block| block.cleared) {
            return None;
        }
        self.clearing.clone()
    }

    /// Whether all of it is known to be zero.
    fn is_zero(&self) -> bool {
        let done = self.clearing.as_ref().is_some_and(Clearing::is_done);

        !self.used.load(Relaxed) && (done || self.iter().all(|block| block.cleared))
    }
}

/// A clear of [`Blocks`], which may take longer than whoever began it has them.
#[derive(Clone)]
pub struct Clearing(Arc<AtomicFlag>);

impl Clearing {
    fn new(request: &Request) -> Result<Option<Self>> {
        if !request.zeroed {
            return Ok(None);
        }
        Ok(Some(Self(Arc::new(AtomicFlag::new(false), GFP_KERNEL)?)))
    }

    /// All blocks are zero now. If nobody uses them until they are free, they still are then.
    pub fn done(&self) {
        self.0.store(true, Relaxed);
    }

    fn is_done(&self) -> bool {
        self.0.load(Relaxed)
    }
}

#[pinned_drop]
impl PinnedDrop for Blocks {
    fn drop(self: Pin<&mut Self>) {
        let flags = if self.is_zero() {
            bindings::GPU_BUDDY_CLEARED
        } else {
            0
        };

        let (raw, _guard) = self.buddy.lock();
        // SAFETY: By the type invariants `raw`, which is locked, has allocated all of the list.
        unsafe { bindings::gpu_buddy_free_list(raw, self.list.as_raw(), flags as u32) };
    }
}

/// What there is to know of an allocated block.
#[derive(Clone, Copy)]
pub struct Block {
    /// Where it starts.
    pub offset: u64,
    /// Bytes.
    pub size: u64,
    /// It was known to be zero when it was allocated.
    pub cleared: bool,
}

/// An allocated block.
#[repr(transparent)]
struct Raw(Opaque<bindings::gpu_buddy_block>);

impl Raw {
    fn block(&self, chunk: u64) -> Block {
        let raw = self.0.get();
        // SAFETY: A block of a list of `Blocks` is allocated, and does not change while it is.
        unsafe {
            Block {
                offset: bindings::gpu_buddy_block_offset(raw),
                size: chunk << bindings::gpu_buddy_block_order(raw),
                cleared: bindings::rgt_gpu_buddy_block_is_clear(raw),
            }
        }
    }
}
