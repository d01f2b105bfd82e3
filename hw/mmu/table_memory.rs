// SPDX-License-Identifier: GPL-2.0

//! VRAM for page tables.

use core::iter;

use kernel::{
    bitmap::BitmapVec,
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    }, //
};

use crate::{
    hw::{
        abi::limits::PAGE_SIZE,
        regs::Regs, //
    },
    rust::{
        pci::ApertureMap,
        shared_words::SharedWords, //
    }, //
};

/// The CPU's view of the start of VRAM.
pub(crate) trait TableWindow: Send + Sync {
    /// Calls `f` with the page at an offset in bytes, in an RCU read-side critical section, unless
    /// the page is out of reach. It must not sleep.
    fn with_page(&self, offset: u64, f: &mut dyn FnMut(SharedWords<'_>));
}

impl TableWindow for ApertureMap {
    fn with_page(&self, offset: u64, f: &mut dyn FnMut(SharedWords<'_>)) {
        // There are no tables any more when the device is unbound.
        let _ = self.with_words(offset..offset + PAGE_SIZE, f);
    }
}

/// The window of a device that may be asleep: its tables are written anew when it wakes.
pub(super) struct GuardedWindow {
    pub(super) window: KBox<dyn TableWindow>,
    pub(super) regs: Regs,
}

impl TableWindow for GuardedWindow {
    fn with_page(&self, offset: u64, f: &mut dyn FnMut(SharedWords<'_>)) {
        self.window.with_page(offset, &mut |words| {
            if !self.regs.is_asleep() {
                f(words);
            }
        });
    }
}

/// The start of VRAM, which holds page tables, one in each page.
///
/// The VRAM manager leaves it alone: if page tables were BOs in the rest, as many as there happen to
/// be, then whether there is room for a client's job would depend on the mappings of all others.
#[pin_data]
pub(super) struct TableMemory {
    window: KBox<dyn TableWindow>,
    #[pin]
    pages: Mutex<Pages>,
}

struct Pages {
    /// Those in use, and those that went bad.
    taken: BitmapVec,
    bad: BitmapVec,
}

/// The use of the VRAM for page tables, in bytes.
#[derive(Clone, Copy, Default)]
pub(crate) struct TableMemoryUsage {
    /// Total size.
    pub(crate) size: u64,
    /// Pages with tables.
    pub(crate) used: u64,
    /// Bad pages.
    pub(crate) bad: u64,
}

impl TableMemory {
    /// Makes the memory of the first `size` bytes of VRAM, whole pages and at least one.
    pub(super) fn new(window: KBox<dyn TableWindow>, size: u64) -> Result<Arc<Self>> {
        let pages = usize::try_from(size / PAGE_SIZE)?;
        let pages = Pages {
            taken: BitmapVec::new(pages, GFP_KERNEL)?,
            bad: BitmapVec::new(pages, GFP_KERNEL)?,
        };
        Arc::pin_init(
            pin_init!(Self {
                window,
                pages <- new_mutex!(pages, "TableMemory::pages"),
            }),
            GFP_KERNEL,
        )
    }

    /// Takes a page, whose content is undefined. [`None`] if there is none left.
    pub(super) fn take(self: &Arc<Self>) -> Option<TablePage> {
        let taken = &mut self.pages.lock().taken;
        let index = taken.next_zero_bit(0)?;
        taken.set_bit(index);
        Some(TablePage {
            memory: self.clone(),
            index,
        })
    }

    /// Takes the page at `offset` in VRAM out of use for good. Returns whether it was not yet;
    /// [`None`] if it is none of these.
    pub(super) fn retire(&self, offset: u64) -> Option<bool> {
        let mut pages = self.pages.lock();
        let index = usize::try_from(offset / PAGE_SIZE).ok()?;
        if index >= pages.bad.len() {
            return None;
        }
        let is_known = pages.bad.next_bit(index) == Some(index);
        pages.bad.set_bit(index);
        pages.taken.set_bit(index);
        Some(!is_known)
    }

    /// Returns the use.
    pub(super) fn usage(&self) -> TableMemoryUsage {
        let pages = self.pages.lock();
        let (taken, bad) = (count(&pages.taken), count(&pages.bad));
        TableMemoryUsage {
            size: pages.taken.len() as u64 * PAGE_SIZE,
            used: (taken - bad) * PAGE_SIZE,
            bad: bad * PAGE_SIZE,
        }
    }
}

/// Returns the number of bits that are set.
fn count(bits: &BitmapVec) -> u64 {
    let next = |from: &usize| bits.next_bit(from + 1);
    iter::successors(bits.next_bit(0), next).count() as u64
}

/// A page of VRAM for a table.
pub(super) struct TablePage {
    memory: Arc<TableMemory>,
    index: usize,
}

impl TablePage {
    /// Returns its offset in VRAM.
    pub(super) fn offset(&self) -> u64 {
        self.index as u64 * PAGE_SIZE
    }

    /// Calls `f` with the page's words, unless the device is asleep or gone. It must not sleep.
    pub(super) fn with_words(&self, mut f: impl FnMut(SharedWords<'_>)) {
        self.memory.window.with_page(self.offset(), &mut f);
    }
}

impl Drop for TablePage {
    fn drop(&mut self) {
        let mut pages = self.memory.pages.lock();
        if pages.bad.next_bit(self.index) != Some(self.index) {
            pages.taken.clear_bit(self.index);
        }
    }
}
