// SPDX-License-Identifier: GPL-2.0

//! The MMU of a device: its units, and the kernel's address space.

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
        Arc,
        Mutex, //
    },
    time::{
        msecs_to_jiffies,
        Msecs, //
    },
    workqueue::{
        impl_has_delayed_work,
        new_delayed_work,
        DelayedWork,
        WorkItem, //
    }, //
};

use super::{
    backing::Backing,
    entries::TableAllocator,
    layout::{
        self,
        GART_BASE,
        GART_SIZE, //
    },
    pool::{
        Allowance,
        Chain,
        Count,
        Pool, //
    },
    registry::{
        Holder,
        Registry, //
    },
    segments,
    shared_table::SharedTable,
    slots::{
        Slots,
        KERNEL_SLOT, //
    },
    table::PageTable,
    table_memory::{
        GuardedWindow,
        TableMemory,
        TableMemoryUsage,
        TableWindow, //
    },
    tlb::{
        Invalidation,
        Tlb, //
    }, //
};
use crate::{
    hw::{
        abi::limits::VA_BITS,
        info::Info,
        regs::Regs,
        reset_request::ResetRequest, //
    },
    rust::{
        devres::BoundDevice,
        workqueue::{
            disable_delayed_work_sync,
            DelayedReclaimWork,
            ReclaimQueue, //
        }, //
    }, //
};

/// The MMU.
#[pin_data]
pub(in crate::hw) struct Mmu {
    regs: Regs,
    /// The allocator of the kernel's page tables, which hold in a reset and without power.
    kernel_tables: TableAllocator,
    /// The allocator of clients' page tables.
    pub(super) tables: TableAllocator,
    #[pin]
    pub(super) tlb: Tlb,
    /// The page tables of the kernel's address space.
    #[pin]
    kernel: SharedTable,
    #[pin]
    pub(super) slots: Slots,
    #[pin]
    pub(super) registry: Registry,
    /// Held for an update of an address space: until what it removed is not in use any more.
    #[pin]
    pub(super) updates: Mutex<()>,
    queue: ReclaimQueue,
    /// Frees page tables that nothing uses any more.
    #[pin]
    free: DelayedWork<Self>,
    /// Frees page tables that address spaces keep ready and do not need.
    #[pin]
    trim: DelayedWork<Self, TRIM>,
}

/// The number of the work item that trims.
const TRIM: u64 = 1;

/// How long address spaces keep page tables that they do not need, up to twice as long.
const TRIM_PERIOD: Msecs = 1000;

impl_has_delayed_work! {
    impl HasDelayedWork<Self> for Mmu { self.free }
    impl HasDelayedWork<Self, TRIM> for Mmu { self.trim }
}

impl Mmu {
    /// Makes the kernel's address space, with all of VRAM and of the scratchpad mapped. The device
    /// does not use it before [`Self::start`].
    pub(in crate::hw) fn new(
        dev: &Device,
        regs: Regs,
        bound: BoundDevice,
        info: &Info,
        reset_request: &Arc<ResetRequest>,
    ) -> Result<Arc<Self>> {
        let kernel_tables = TableAllocator::new(bound.clone());
        let table = PageTable::new(&kernel_tables)?;
        let this = Arc::pin_init(
            try_pin_init!(Self {
                tlb <- Tlb::new(dev, &regs, reset_request),
                kernel <- SharedTable::new(table),
                slots <- Slots::new(&regs),
                registry <- Registry::new(),
                updates <- new_mutex!((), "Mmu::updates"),
                queue: ReclaimQueue::new(c"rust_gpu_ttm-mmu")?,
                free <- new_delayed_work!("Mmu::free"),
                trim <- new_delayed_work!("Mmu::trim"),
                regs,
                kernel_tables,
                tables: TableAllocator::new(bound),
            }? Error),
            GFP_KERNEL,
        )?;

        this.map_whole(layout::vram(info.vram_size), Backing::Vram(0))?;
        if info.scratchpad_size != 0 {
            let scratchpad = layout::scratchpad(info.scratchpad_size);
            this.map_whole(scratchpad, Backing::Scratchpad(0))?;
        }
        let gart = GART_BASE..GART_BASE + GART_SIZE;
        this.populate_kernel(|table, pool| table.insert(&gart, pool))?;
        Ok(this)
    }

    /// Maps a range of the kernel's address space for good.
    fn map_whole(&self, range: Range<u64>, backing: Backing) -> Result {
        let segments = || core::iter::once((range.clone(), backing));
        let mut pool = Pool::new();
        pool.fill(&self.kernel_tables, segments::count(segments()))?;

        self.populate_kernel(|table, pool| table.insert(&range, pool))?;
        // Nothing was mapped there, so the TLB has nothing to invalidate.
        self.with_kernel(|table| {
            table.map(&range, segments(), true, &mut pool.all(), &mut Chain::new())
        })?
    }

    /// Sets the root of the kernel's address space.
    pub(in crate::hw) fn start(&self) {
        // Not if the device has stopped.
        let _ = self.with_kernel(|table| self.regs.set_root(KERNEL_SLOT, table.root()));
    }

    /// Frees all page tables, which the device does not use any more.
    pub(in crate::hw) fn stop(self: &Arc<Self>) {
        self.slots.stop();
        self.registry.retire_all();
        disable_delayed_work_sync::<_, 0>(self);
        disable_delayed_work_sync::<_, TRIM>(self);
        let mut garbage = self.registry.take_garbage();
        self.kernel.retire(&mut garbage);
        drop(garbage);
    }

    /// Puts page tables of clients into the first `size` bytes of VRAM, as far as there is room, from
    /// here on.
    pub(in crate::hw) fn set_table_memory(
        &self,
        window: KBox<dyn TableWindow>,
        size: u64,
    ) -> Result {
        let regs = self.regs.clone();
        let window = KBox::new(GuardedWindow { window, regs }, GFP_KERNEL)?;
        self.tables.set_vram(TableMemory::new(window, size)?);
        Ok(())
    }

    /// Returns the use of the VRAM for page tables.
    pub(in crate::hw) fn table_memory_usage(&self) -> TableMemoryUsage {
        self.tables
            .vram()
            .map(|memory| memory.usage())
            .unwrap_or_default()
    }

    /// Takes the bad page at `offset` in VRAM out of use if it is one for page tables, and moves the
    /// table that is there. Returns whether it is one.
    ///
    /// [`ENOMEM`] if there is no memory for the table, which stays.
    pub(in crate::hw) fn retire_page(&self, offset: u64) -> Result<bool> {
        match self.tables.vram().and_then(|memory| memory.retire(offset)) {
            None => return Ok(false),
            Some(false) => return Ok(true),
            Some(true) => {}
        }
        let mut entries = self.tables.alloc()?;
        let space = self.registry.relocate(offset, &mut entries);
        let slot = space.and_then(|space| {
            self.slots
                .with_slot(space, |slot| self.tlb.invalidate(slot, 0..1 << VA_BITS))
        });
        if let Some(invalidation) = slot.flatten() {
            self.wait(invalidation);
        }
        Ok(true)
    }

    /// Restores the page tables, and sets the roots of all address spaces in use, after a reset of the
    /// device.
    pub(in crate::hw) fn restore(&self) {
        self.tables.note_loss();
        self.registry.restore();
        self.tlb.recovered();
        self.start();
        self.slots.restore();
    }

    /// Prints the address spaces in use.
    pub(in crate::hw) fn print(&self, out: &mut dyn Write) -> FmtResult {
        let mut done = Ok(());
        self.slots.for_each(|number, root| {
            if done.is_ok() {
                done = writeln!(out, "address space {number}: root {root:#x}");
            }
        });
        done
    }

    /// Maps `size` bytes of system memory at `address` to `va` in the kernel's address space, all
    /// multiples of the page size.
    pub(in crate::hw) fn map_kernel(&self, va: u64, address: DmaAddress, size: u64) -> Result {
        let end = va.checked_add(size).ok_or(EINVAL)?;
        self.map_whole(va..end, Backing::System(address))
    }

    /// Returns whether the TLB hung and the device is not recovered yet.
    pub(in crate::hw) fn is_hung(&self) -> bool {
        self.tlb.is_hung()
    }

    /// See [`Gpu::wait_invalidated`](crate::hw::Gpu::wait_invalidated).
    pub(in crate::hw) fn wait(&self, invalidation: Invalidation) {
        self.tlb.wait(invalidation);
    }

    /// See [`Gpu::wait_updates`](crate::hw::Gpu::wait_updates).
    pub(in crate::hw) fn wait_updates(&self) {
        drop(self.updates.lock());
    }

    /// Calls `f` with the page tables of the kernel's address space.
    pub(super) fn with_kernel<T>(&self, f: impl FnOnce(&mut PageTable) -> T) -> Result<T> {
        self.kernel.with(f)
    }

    /// Calls `f` with the page tables of the kernel's address space, and allocates the tables that
    /// it says are missing until there are enough.
    pub(super) fn populate_kernel(
        &self,
        f: impl Fn(&mut PageTable, &mut Allowance<'_>) -> Result<(), Count>,
    ) -> Result {
        self.kernel.populate(&self.kernel_tables, f)
    }

    /// Has tables freed that nothing uses any more.
    pub(super) fn free_later(self: &Arc<Self>, mut tables: Chain) {
        if !tables.is_empty() {
            self.registry.add_garbage(&mut tables);
            self.free_garbage();
        }
    }

    /// Has the registry's garbage freed.
    pub(super) fn free_garbage(self: &Arc<Self>) {
        DelayedReclaimWork::<0>::enqueue_delayed(self.clone(), 0);
    }

    /// Has tables freed that address spaces keep ready, if they do not need them for a while.
    pub(super) fn trim_later(self: &Arc<Self>) {
        let period = msecs_to_jiffies(TRIM_PERIOD);
        DelayedReclaimWork::<TRIM>::enqueue_delayed(self.clone(), period);
    }
}

impl DelayedReclaimWork for Mmu {
    fn queue(&self) -> &ReclaimQueue {
        &self.queue
    }
}

impl DelayedReclaimWork<TRIM> for Mmu {
    fn queue(&self) -> &ReclaimQueue {
        &self.queue
    }
}

impl WorkItem<TRIM> for Mmu {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        let (garbage, has_more) = this.registry.trim();
        drop(garbage);
        if has_more {
            this.trim_later();
        }
    }
}

impl WorkItem for Mmu {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        drop(this.registry.take_garbage());
    }
}
