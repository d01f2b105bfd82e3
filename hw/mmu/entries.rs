// SPDX-License-Identifier: GPL-2.0

//! The entries of a page table, and the memory that the device reads them from.

use core::ops::Range;

use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    dma::Coherent,
    io::{
        io_read,
        io_write, //
    },
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Full,
            Relaxed, //
        },
        Arc,
        SetOnce, //
    }, //
};

use super::table_memory::{
    TableMemory,
    TablePage, //
};
use crate::{
    hw::abi::pte::*,
    rust::{
        devres::BoundDevice,
        shared_words::SharedWords, //
    }, //
};

/// The allocator of tables: in VRAM, if it has any and as long as there is room, else in system
/// memory.
pub(super) struct TableAllocator {
    bound: BoundDevice,
    vram: SetOnce<Arc<TableMemory>>,
    /// How often VRAM has lost its content.
    losses: Atomic<u64>,
}

impl TableAllocator {
    /// Returns an allocator of tables in system memory.
    pub(super) fn new(bound: BoundDevice) -> Self {
        Self {
            bound,
            vram: SetOnce::new(),
            losses: Atomic::new(0),
        }
    }

    /// Lets tables be in VRAM from here on. Has no effect the second time.
    pub(super) fn set_vram(&self, memory: Arc<TableMemory>) {
        self.vram.populate(memory);
    }

    /// Returns the VRAM that tables may be in.
    pub(super) fn vram(&self) -> Option<&Arc<TableMemory>> {
        self.vram.as_ref()
    }

    /// Notes that VRAM has lost its content. To be called before the tables in use are written anew.
    pub(super) fn note_loss(&self) {
        self.losses.fetch_add(1, Full);
    }

    /// Returns the number of losses. Tables that were allocated before the last one, and were not in
    /// use yet, have to be written anew.
    pub(super) fn losses(&self) -> u64 {
        self.losses.load(Relaxed)
    }

    /// Allocates entries, all 0. System memory is charged to the caller's memory cgroup.
    pub(super) fn alloc(&self) -> Result<Entries> {
        match self.vram().and_then(TableMemory::take) {
            Some(page) => {
                let shadow = KBox::init(pin_init::init_zeroed(), GFP_KERNEL_ACCOUNT)?;
                let entries = Entries::Vram { shadow, page };
                entries.restore();
                Ok(entries)
            }
            None => self.alloc_system(),
        }
    }

    /// Allocates entries in system memory, all 0, as [`Self::alloc`] does.
    pub(super) fn alloc_system(&self) -> Result<Entries> {
        Ok(Entries::System(
            self.bound.alloc_coherent(GFP_KERNEL_ACCOUNT)?,
        ))
    }
}

/// The entries of a table.
///
/// Those in VRAM have a shadow in system memory: reads of VRAM by the CPU are slow, and VRAM loses its
/// content in a reset and while the device has no power.
pub(super) enum Entries {
    System(Coherent<[u64; ENTRIES]>),
    Vram {
        shadow: KBox<[u64; ENTRIES]>,
        page: TablePage,
    },
}

impl Entries {
    /// Returns the entry that refers to this table.
    pub(super) fn link(&self) -> u64 {
        match self {
            Self::System(memory) => memory.dma_address() & ADDRESS | SYSTEM | VALID,
            Self::Vram { page, .. } => page.offset() & ADDRESS | VALID,
        }
    }

    /// Reads the entry at `index`.
    pub(super) fn get(&self, index: usize) -> u64 {
        u64::from_le(match self {
            Self::System(memory) => io_read!(memory, [panic: index % ENTRIES]),
            Self::Vram { shadow, .. } => shadow[index % ENTRIES],
        })
    }

    /// Writes the entry at `index`.
    pub(super) fn set(&mut self, index: usize, entry: u64) {
        let index = index % ENTRIES;
        match self {
            Self::System(memory) => io_write!(memory, [panic: index], entry.to_le()),
            Self::Vram { .. } => self.write(index..index + 1, move |_| entry),
        }
    }

    /// Writes the entries of `range`, in ascending order, as `entry` says of their index. Those beyond
    /// the end of the table are left out.
    pub(super) fn write(&mut self, range: Range<usize>, entry: impl Fn(usize) -> u64 + Copy) {
        // By value, as the words that are written might be those that it refers to.
        let word = move |index| entry(index).to_le();
        match self {
            Self::System(memory) => SharedWords::from(&*memory).write(range, word),
            Self::Vram { shadow, page } => {
                let mut is_written = false;
                page.with_words(|words| {
                    words.write_with_shadow(range.clone(), &mut shadow[..], word);
                    is_written = true;
                });
                if !is_written {
                    // The device sleeps: VRAM is written anew from the shadow when it wakes.
                    let copies = shadow.iter_mut().enumerate().take(range.end);
                    copies
                        .skip(range.start)
                        .for_each(|(index, copy)| *copy = word(index));
                }
            }
        }
    }

    /// Returns whether they are in the page at `offset` in VRAM.
    pub(super) fn are_at(&self, offset: u64) -> bool {
        matches!(self, Self::Vram { page, .. } if page.offset() == offset)
    }

    /// Copies the entries of another table.
    pub(super) fn copy_from(&mut self, other: &Self) {
        self.write(0..ENTRIES, |index| other.get(index));
    }

    /// Writes VRAM anew, which may have lost its content.
    pub(super) fn restore(&self) {
        if let Self::Vram { shadow, page } = self {
            page.with_words(|words| words.write(0..ENTRIES, |index| shadow[index % ENTRIES]));
        }
    }
}
