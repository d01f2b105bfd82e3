// SPDX-License-Identifier: GPL-2.0

//! The slots of the device: the address spaces that it can use at a time.

use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        aref::ARef,
        Mutex, //
    }, //
};

use super::{
    registry::HolderId,
    slot_table::{
        Choice,
        SlotTable, //
    }, //
};
use crate::{
    hw::regs::Regs,
    rust::dma_fence::Fence, //
};

/// The kernel's slot.
pub(super) const KERNEL_SLOT: u32 = 0;

/// The slots of a device.
///
/// The lock orders changes of a slot's owner against invalidations of its TLB: a space that is found
/// without a slot has no translations in the TLB. It is taken in the signalling path: memory must
/// not be allocated while it is held.
#[pin_data]
pub(super) struct Slots {
    regs: Regs,
    /// [`None`] once the device has stopped.
    #[pin]
    table: Mutex<Option<SlotTable<HolderId>>>,
}

impl Slots {
    /// Makes the slots of a device, all free.
    pub(super) fn new<'a>(regs: &'a Regs) -> impl PinInit<Self> + use<'a> {
        pin_init!(Self {
            regs: regs.clone(),
            table <- new_mutex!(Some(SlotTable::new()), "Slots::table"),
        })
    }

    /// Reserves a slot for a job of a space with this root, until [`Self::unreserve`].
    ///
    /// [`Err`] with a fence if the job has to wait for that first, and ask again; with none if it
    /// will not get a slot.
    pub(super) fn reserve(&self, space: HolderId, root: u64) -> Result<u32, Option<ARef<Fence>>> {
        self.with(|table| match table.reserve(space, root) {
            Choice::Kept(number) => Ok(number),
            Choice::Assigned(number) => {
                // This invalidates what the TLB has of the slot's former owner, too.
                self.regs.set_root(number, root);
                Ok(number)
            }
            Choice::Wait(fence) => Err(Some(fence)),
            Choice::Exhausted => Err(None),
        })
        .unwrap_or(Err(None))
    }

    /// Notes that a job was submitted that uses a slot, which is reserved, until `fence` signals.
    pub(super) fn note_job(&self, number: u32, engine: u32, fence: &Fence) {
        self.with(|table| table.note_job(number, engine, fence));
    }

    /// Undoes one [`Self::reserve`] that has given this slot.
    pub(super) fn unreserve(&self, number: u32) {
        self.with(|table| table.unreserve(number));
    }

    /// Frees the slot of a space, if it has one. No job uses it any more.
    pub(super) fn free(&self, space: HolderId) {
        self.with(|table| {
            if let Some(number) = table.free(space) {
                self.regs.set_root(number, 0);
            }
        });
    }

    /// Calls `f` with the slot of a space, if it has one, which it keeps meanwhile.
    pub(super) fn with_slot<T>(&self, space: HolderId, f: impl FnOnce(u32) -> T) -> Option<T> {
        self.with(|table| table.of(space).map(f))?
    }

    /// Sets the roots of all slots after a reset of the device.
    pub(super) fn restore(&self) {
        self.for_each(|number, root| self.regs.set_root(number, root));
    }

    /// Calls `f` with each slot that a space has, and the space's root.
    pub(super) fn for_each(&self, mut f: impl FnMut(u32, u64)) {
        self.with(|table| table.roots().for_each(|(number, root)| f(number, root)));
    }

    /// Ends the use of the slots when the device stops.
    pub(super) fn stop(&self) {
        *self.table.lock() = None;
    }

    /// Calls `f` with the slots, unless the device has stopped.
    fn with<T>(&self, f: impl FnOnce(&mut SlotTable<HolderId>) -> T) -> Option<T> {
        let mut table = self.table.lock();
        (*table).as_mut().map(f)
    }
}
