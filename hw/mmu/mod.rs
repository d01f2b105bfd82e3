// SPDX-License-Identifier: GPL-2.0

//! The MMU: address spaces and the device's cache of their translations.

mod deferred;
mod gart;
mod invalidate;
mod layout;
mod node;
mod table;

use core::ops::Range;

use kernel::{
    device::Device,
    dma::DmaAddress,
    fmt::{
        Result as FmtResult,
        Write, //
    },
    new_mutex,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            AtomicFlag,
            Relaxed, //
        },
        Arc,
        Mutex, //
    }, //
};

use self::{
    invalidate::Numbers,
    node::{
        Chain,
        Pool, //
    },
    table::{
        Depth,
        PageTable, //
    }, //
};
use super::{
    abi::limits::{
        ADDRESS_SPACES,
        PAGE_SIZE,
        VA_BITS, //
    },
    info::Info,
    regs::Regs, //
};
use crate::rust::devres::BoundDevice;

pub(super) use self::layout::KERNEL_BASE;
pub(crate) use self::{
    deferred::{
        DeferredMaps,
        DeferredUnmaps, //
    },
    invalidate::Invalidation, //
};

/// The kernel's address space.
const KERNEL: u32 = 0;

/// An address space that a VM has, or had: one that was freed is never found again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SpaceId {
    number: u32,
    generation: u64,
}

/// What is behind a range of addresses.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Backing {
    /// VRAM from this offset.
    Vram(u64),
    /// The scratchpad from this offset.
    Scratchpad(u64),
    /// Memory that the device reaches by DMA, from this address.
    System(DmaAddress),
}

/// The MMU.
#[pin_data]
pub(super) struct Mmu {
    dev: ARef<Device>,
    regs: Regs,
    bound: BoundDevice,
    /// Makes one invalidation of the several register writes that it takes.
    #[pin]
    numbers: Mutex<Numbers>,
    /// The device has been reset and forgets everything until [`Self::restore`].
    lost: AtomicFlag,
    spaces: KVec<Pin<KBox<Space>>>,
}

/// One of the device's address spaces.
///
/// Its lock is taken where fences signal: memory must not be allocated while it is held.
#[pin_data]
struct Space {
    #[pin]
    state: Mutex<State>,
}

/// What is in an address space.
struct State {
    /// None if it is free.
    table: Option<PageTable>,
    /// How often it was freed.
    generation: u64,
}

impl SpaceId {
    /// The number that the device knows the address space by.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }
}

/// The kernel's address space, which is never freed.
const KERNEL_SPACE: SpaceId = SpaceId {
    number: KERNEL,
    generation: 0,
};

impl Space {
    fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            state <- new_mutex!(
                State {
                    table: None,
                    generation: 0,
                },
                "Space::state"
            ),
        })
    }
}

impl Mmu {
    /// Makes the kernel's address space, with all of VRAM and of the scratchpad mapped. The device
    /// does not use it before [`Self::start`].
    pub(super) fn new(
        dev: &Device,
        regs: Regs,
        bound: BoundDevice,
        info: &Info,
    ) -> Result<Arc<Self>> {
        let mut spaces = KVec::new();
        for _ in 0..ADDRESS_SPACES {
            spaces.push(KBox::pin_init(Space::new(), GFP_KERNEL)?, GFP_KERNEL)?;
        }
        let this = Arc::pin_init(
            pin_init!(Self {
                dev: dev.into(),
                regs,
                bound,
                numbers <- new_mutex!(Numbers::new(), "Mmu::numbers"),
                lost: AtomicFlag::new(false),
                spaces,
            }),
            GFP_KERNEL,
        )?;

        let table = PageTable::new(&this.bound)?;
        this.space(KERNEL).state.lock().table = Some(table);
        let vram = layout::vram(info.vram_size);
        this.map_whole(vram, Backing::Vram(0), Depth::Blocks)?;
        if info.scratchpad_size != 0 {
            let scratchpad = layout::scratchpad(info.scratchpad_size);
            this.map_whole(scratchpad, Backing::Scratchpad(0), Depth::Pages)?;
        }
        Ok(this)
    }

    /// Maps a range of the kernel's address space that stays as it is.
    fn map_whole(&self, range: Range<u64>, backing: Backing, depth: Depth) -> Result {
        self.populate(KERNEL_SPACE, &range, depth, |_| ())?;
        self.with(KERNEL_SPACE, |table| {
            table.map(&range, backing, true, depth)
        })
        .ok_or(EINVAL)?
        // There is nothing there that the device may know.
        .map(|_| ())
    }

    /// Has the device use the kernel's address space.
    pub(super) fn start(&self) {
        self.with(KERNEL_SPACE, |table| {
            self.regs.set_root(KERNEL, table.root())
        });
    }

    /// Frees all tables of a device that does not use any more.
    pub(super) fn stop(&self) {
        for space in &self.spaces {
            let mut state = space.state.lock();
            state.generation += 1;
            let old = state.table.take();
            drop(state);
            drop(old);
        }
    }

    /// Has the device, which was reset, use all address spaces again.
    pub(super) fn restore(&self) {
        self.lost.store(false, Relaxed);
        for (number, space) in (0..).zip(&self.spaces) {
            let state = space.state.lock();
            if let Some(table) = &state.table {
                self.regs.set_root(number, table.root());
            }
        }
    }

    /// Writes which address spaces there are.
    pub(super) fn describe(&self, out: &mut dyn Write) -> FmtResult {
        for (number, space) in self.spaces.iter().enumerate() {
            if let Some(table) = &space.state.lock().table {
                writeln!(out, "address space {}: root {:#x}", number, table.root())?;
            }
        }
        Ok(())
    }

    /// Makes `size` bytes from `address` on readable and writable at `va` in the kernel's space.
    pub(super) fn map_kernel(&self, va: u64, address: DmaAddress, size: u64) -> Result {
        let range = range(va..va.checked_add(size).ok_or(EINVAL)?)?;
        self.map_whole(range, Backing::System(address), Depth::Pages)
    }

    /// Finds a free address space and makes it an empty one.
    pub(super) fn alloc(&self) -> Result<SpaceId> {
        let new = PageTable::new(&self.bound)?;
        for (number, space) in (0..).zip(&self.spaces).skip(1) {
            let mut state = space.state.lock();
            if state.table.is_none() {
                self.regs.set_root(number, new.root());
                state.table = Some(new);
                return Ok(SpaceId {
                    number,
                    generation: state.generation,
                });
            }
        }
        Err(ENOSPC)
    }

    /// Frees an address space and all of its tables. No engine may use it any more.
    pub(super) fn free(&self, id: SpaceId) {
        let mut state = self.space(id.number).state.lock();
        if state.generation != id.generation {
            return;
        }
        // This forgets the cached translations, too.
        self.regs.set_root(id.number, 0);
        state.generation += 1;
        let old = state.table.take();
        drop(state);
        drop(old);
    }

    /// See [`Gpu::space_prepare`](super::Gpu::space_prepare).
    pub(super) fn prepare(&self, id: SpaceId, va: Range<u64>) -> Result {
        let range = range(va)?;
        self.populate(id, &range, Depth::Pages, |table| table.retain(&range))
    }

    /// See [`Gpu::space_release`](super::Gpu::space_release).
    pub(super) fn release(&self, id: SpaceId, va: Range<u64>) {
        let Ok(range) = range(va) else {
            return;
        };
        let mut garbage = Chain::new();
        self.with(id, |table| table.release(&range, &mut garbage));
        // Others get the memory of these tables, and of what was mapped.
        self.flush(id, range);
        drop(garbage);
    }

    /// See [`Gpu::space_map`](super::Gpu::space_map).
    pub(super) fn map(
        &self,
        id: SpaceId,
        va: Range<u64>,
        backing: Backing,
        writable: bool,
    ) -> Result {
        let range = range(va)?;
        let hides_tables = self
            .with(id, |table| {
                table.map(&range, backing, writable, Depth::Pages)
            })
            .ok_or(ENOENT)??;
        if hides_tables {
            self.flush(id, range);
        }
        Ok(())
    }

    /// See [`Gpu::space_unmap`](super::Gpu::space_unmap).
    pub(super) fn unmap(&self, id: SpaceId, va: Range<u64>) {
        if let Ok(range) = range(va) {
            self.with(id, |table| table.unmap(&range));
        }
    }

    /// Unmaps those pages of a range that are mapped to `backing` and what follows it. Returns
    /// whether there were any; then [`Self::flush`] has to follow.
    fn unmap_backing(&self, id: SpaceId, va: Range<u64>, backing: Backing) -> bool {
        range(va)
            .ok()
            .and_then(|range| self.with(id, |table| table.unmap_backing(&range, backing)))
            .unwrap_or(false)
    }

    fn space(&self, number: u32) -> &Space {
        // PANIC: There are `ADDRESS_SPACES` of them; a `SpaceId` is made for one of them only.
        &self.spaces[number as usize]
    }

    /// Calls `f` with the tables of an address space, unless that was freed.
    fn with<T>(&self, id: SpaceId, f: impl FnOnce(&mut PageTable) -> T) -> Option<T> {
        let mut state = self.space(id.number).state.lock();
        if state.generation != id.generation {
            return None;
        }
        state.table.as_mut().map(f)
    }

    /// Makes the tables for `range` and runs `then` before anybody can take them away again.
    fn populate(
        &self,
        id: SpaceId,
        range: &Range<u64>,
        depth: Depth,
        then: impl Fn(&mut PageTable),
    ) -> Result {
        let mut pool = Pool::new();
        loop {
            let missing = self
                .with(id, |table| {
                    table
                        .populate(range, depth, &mut pool)
                        .map(|()| then(table))
                })
                .ok_or(ENOENT)?;
            match missing {
                Ok(()) => return Ok(()),
                Err(count) => pool.fill(&self.bound, count)?,
            }
        }
    }
}

/// Makes sure that there can be pages in `va`.
fn range(va: Range<u64>) -> Result<Range<u64>> {
    if va.is_empty()
        || va.start % PAGE_SIZE != 0
        || va.end % PAGE_SIZE != 0
        || va.end > 1 << VA_BITS
    {
        return Err(EINVAL);
    }
    Ok(va)
}
