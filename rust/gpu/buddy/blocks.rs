// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The blocks of an allocation of a [`Buddy`](super::Buddy).

use core::ops::Range;

use kernel::{
    clist_create,
    error::to_result,
    interop::list::CListHead,
    prelude::*,
    sync::{
        atomic::{
            AtomicFlag,
            Relaxed, //
        },
        Arc, //
    },
    types::Opaque, //
};

use super::{
    Inner,
    Known,
    Request, //
};
use crate::rust::bindings;

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
    /// Set when they may have been written.
    used: AtomicFlag,
    /// [`Inner::forgotten`] when they were allocated, or before.
    forgotten: u64,
    buddy: Arc<Inner>,
}

impl Blocks {
    /// See [`Buddy::alloc()`](super::Buddy::alloc).
    pub(super) fn alloc(buddy: Arc<Inner>, request: Request) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            list <- CListHead::new(),
            clearing: Clearing::new(&request)?,
            used: AtomicFlag::new(false),
            forgotten: buddy.forgotten.load(Relaxed),
            // SAFETY: `list` is an empty list.
            _: { unsafe { take(&buddy, &request, list.as_raw()) }? },
            buddy,
        }? Error)
    }

    /// Returns the blocks in the order of the bytes that were asked for, largest first.
    pub fn iter(&self) -> impl Iterator<Item = Block> + '_ {
        let chunk = self.buddy.chunk_size();
        // C forgets only of free blocks that they are clear.
        let known = self.is_known();
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

        list.iter().map(move |raw| raw.block(chunk, known))
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
        let mut blocks = self.iter().map(|block| block.cleared);
        let first = blocks.next().unwrap_or(true);

        if blocks.any(|cleared| cleared != first) {
            Cleared::Some
        } else if first {
            Cleared::All
        } else {
            Cleared::None
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

#[pinned_drop]
impl PinnedDrop for Blocks {
    fn drop(self: Pin<&mut Self>) {
        let list = self.list.as_raw();
        let (raw, mut known) = self.buddy.lock();
        let Known { spares, retired } = &mut *known;
        let zero = self.is_zero();

        // SAFETY: By the type invariants `raw`, which is locked, has allocated all of the list,
        // which is not used after this. A single chunk is in no list once it is out of this one.
        unsafe {
            let chunk = bindings::rgt_gpu_buddy_single_chunk(list);
            if chunk.is_null() {
                let flags = if zero { bindings::GPU_BUDDY_CLEARED } else { 0 };
                bindings::gpu_buddy_free_list(raw, list, flags as u32);
            } else {
                bindings::rgt_gpu_buddy_block_unlink(chunk, zero);
                spares.put(raw, chunk);
            }
        }
        // SAFETY: Initialised by the type invariants of `Inner`, and locked.
        unsafe { retired.catch_up(raw, spares, self.buddy.chunk_size()) };
    }
}

/// Allocates the blocks of a request.
///
/// # Safety
///
/// `list` must be an empty list.
unsafe fn take(buddy: &Inner, request: &Request, list: *mut bindings::list_head) -> Result {
    // Also without a range: it is where neighbours are joined of which one is zero.
    // SAFETY: Initialised by the type invariants; the field is constant.
    let size = unsafe { (*buddy.raw.get()).size };
    let range = request.range.clone().unwrap_or(0..size);
    if range.is_empty() {
        return Err(EINVAL);
    }

    let (raw, mut known) = buddy.lock();
    let spares = &mut known.spares;
    if request.is_for_any(buddy.chunk_size()) {
        if let Some(chunk) = spares.take(&range) {
            // SAFETY: It is allocated and in no list, and `list` is one.
            unsafe { bindings::rgt_gpu_buddy_block_link(chunk, list) };
            return Ok(());
        }
    }
    let alloc = |range: &Range<u64>, flags| {
        // SAFETY: Initialised by the type invariants, and locked; `list` is an empty list, and
        // stays one when this fails.
        to_result(unsafe {
            bindings::gpu_buddy_alloc_blocks(
                raw,
                range.start,
                range.end,
                request.size,
                request.min_block.as_usize() as u64,
                list,
                flags,
            )
        })
    };
    if let Some(preferred) = &request.preferred {
        let flags = request.flags() | bindings::GPU_BUDDY_RANGE_ALLOCATION;
        if alloc(preferred, flags).is_ok() {
            return Ok(());
        }
    }
    match alloc(&range, request.flags()) {
        Err(ENOSPC) if !spares.is_empty() => {
            // SAFETY: As above.
            unsafe { spares.flush(raw) };
            alloc(&range, request.flags())
        }
        done => done,
    }
}

/// The part of some blocks that is known to be zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cleared {
    /// No block.
    None,
    /// Some blocks, but not all.
    Some,
    /// All of them.
    All,
}

/// The place and the state of an allocated block.
#[derive(Clone, Copy)]
pub struct Block {
    /// Offset of its first byte.
    pub offset: u64,
    /// Size in bytes.
    pub size: u64,
    /// Set if it was known to be zero when it was allocated, and has not lost its content since.
    pub cleared: bool,
}

/// An allocated block.
#[repr(transparent)]
struct Raw(Opaque<bindings::gpu_buddy_block>);

impl Raw {
    fn block(&self, chunk: u64, known: bool) -> Block {
        let raw = self.0.get();
        // SAFETY: A block of a list of `Blocks` is allocated, and does not change while it is.
        unsafe {
            Block {
                offset: bindings::gpu_buddy_block_offset(raw),
                size: chunk << bindings::gpu_buddy_block_order(raw),
                cleared: known && bindings::rgt_gpu_buddy_block_is_clear(raw),
            }
        }
    }
}
