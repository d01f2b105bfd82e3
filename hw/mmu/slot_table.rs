// SPDX-License-Identifier: GPL-2.0

//! The choice of a slot for a job's address space.

use kernel::sync::aref::ARef;

use crate::{
    hw::abi::limits::{
        ADDRESS_SPACES,
        MAX_ENGINES, //
    },
    rust::dma_fence::Fence, //
};

/// Slots that clients' address spaces share. The kernel's has slot 0 for good.
pub(crate) const SLOTS: usize = ADDRESS_SPACES as usize - 1;

/// The slot that a job gets.
pub(crate) enum Choice {
    /// That which its address space has.
    Kept(u32),
    /// One that its address space is given: the root has to be set.
    Assigned(u32),
    /// None for now: the job has to wait for the fence of another one, and ask again.
    Wait(ARef<Fence>),
    /// None: all are reserved, by jobs that are about to be submitted.
    Exhausted,
}

/// An address space that has a slot.
struct Owner<K> {
    space: K,
    root: u64,
}

/// A slot of the device.
struct Slot<K> {
    owner: Option<Owner<K>>,
    /// Jobs that were given the slot and are not submitted yet.
    reserved: u32,
    /// The time of the last use, in uses of all slots.
    last_use: u64,
    /// A job of another space waits for this slot.
    wanted: bool,
    /// For each engine the fence of the last job that uses the slot. They signal in order.
    fences: [Option<ARef<Fence>>; MAX_ENGINES as usize],
}

impl<K> Slot<K> {
    const fn new() -> Self {
        Self {
            owner: None,
            reserved: 0,
            last_use: 0,
            wanted: false,
            fences: [const { None }; MAX_ENGINES as usize],
        }
    }

    /// Returns the fence of a job that uses the slot.
    fn busy(&self) -> Option<&ARef<Fence>> {
        self.fences
            .iter()
            .flatten()
            .find(|fence| !fence.is_signaled())
    }

    fn is_idle(&self) -> bool {
        self.reserved == 0 && self.busy().is_none()
    }
}

/// The slots of a device, each of an address space `K` or of none.
///
/// A space keeps its slot until another one needs it. Then it goes from the idle space that used
/// its slot longest ago. Nothing here allocates or sleeps.
pub(crate) struct SlotTable<K> {
    /// Slot `n` of the device is at `n - 1`.
    slots: [Slot<K>; SLOTS],
    now: u64,
}

impl<K: Copy + Eq> SlotTable<K> {
    /// Makes a table of free slots.
    pub(crate) const fn new() -> Self {
        Self {
            slots: [const { Slot::new() }; SLOTS],
            now: 0,
        }
    }

    /// Chooses a slot for a job of `space`, and reserves it until [`Self::unreserve`].
    ///
    /// While jobs of other spaces wait for the slot that the space has, this job waits as well: a
    /// space that is never idle would keep it for ever.
    pub(crate) fn reserve(&mut self, space: K, root: u64) -> Choice {
        self.now += 1;

        if let Some((number, slot)) = self.of_mut(space) {
            match slot.busy() {
                Some(fence) if slot.wanted => return Choice::Wait(fence.clone()),
                _ => {}
            }
            slot.wanted = false;
            self.use_slot(number);
            return Choice::Kept(number);
        }

        let numbered = (1..).zip(&self.slots);
        let idle = numbered
            .filter(|(_, slot)| slot.is_idle())
            .min_by_key(|(_, slot)| slot.last_use)
            .map(|(number, _)| number);
        if let Some(number) = idle {
            if let Some(slot) = self.slot_mut(number) {
                *slot = Slot::new();
                slot.owner = Some(Owner { space, root });
            }
            self.use_slot(number);
            return Choice::Assigned(number);
        }

        let busy = self
            .slots
            .iter_mut()
            .filter(|slot| slot.reserved == 0)
            .min_by_key(|slot| slot.last_use);
        match busy.and_then(|slot| {
            slot.wanted = true;
            slot.busy().cloned()
        }) {
            Some(fence) => Choice::Wait(fence),
            None => Choice::Exhausted,
        }
    }

    /// Notes that a job was submitted that uses a slot, which is reserved, until `fence` signals.
    pub(crate) fn note_job(&mut self, number: u32, engine: u32, fence: &Fence) {
        let slot = self.slot_mut(number);
        if let Some(last) = slot.and_then(|slot| slot.fences.get_mut(engine as usize)) {
            *last = Some(fence.into());
        }
    }

    /// Undoes one [`Self::reserve`] that has given this slot.
    pub(crate) fn unreserve(&mut self, number: u32) {
        if let Some(slot) = self.slot_mut(number) {
            slot.reserved -= 1;
        }
    }

    /// Returns the slot that a space has.
    pub(crate) fn of(&self, space: K) -> Option<u32> {
        self.owners()
            .find(|(_, owner)| owner.space == space)
            .map(|(number, _)| number)
    }

    /// Frees the slot of a space that no job uses any more, and returns it.
    pub(crate) fn free(&mut self, space: K) -> Option<u32> {
        let (number, slot) = self.of_mut(space)?;
        *slot = Slot::new();
        Some(number)
    }

    /// Iterates over the slots that spaces have, with the roots of these.
    pub(crate) fn roots(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        self.owners().map(|(number, owner)| (number, owner.root))
    }

    fn owners(&self) -> impl Iterator<Item = (u32, &Owner<K>)> {
        (1..)
            .zip(&self.slots)
            .filter_map(|(number, slot)| Some((number, slot.owner.as_ref()?)))
    }

    fn of_mut(&mut self, space: K) -> Option<(u32, &mut Slot<K>)> {
        let number = self.of(space)?;
        Some((number, self.slot_mut(number)?))
    }

    fn slot_mut(&mut self, number: u32) -> Option<&mut Slot<K>> {
        self.slots.get_mut((number as usize).checked_sub(1)?)
    }

    fn use_slot(&mut self, number: u32) {
        let now = self.now;
        if let Some(slot) = self.slot_mut(number) {
            slot.reserved += 1;
            slot.last_use = now;
        }
    }
}
