// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Tables of objects that are known by numbers.

use kernel::{
    new_mutex,
    prelude::*,
    sync::Mutex, //
};

/// Objects of a type by their numbers, such as those that user space has.
///
/// Number 0 is not given out: it names a default object, or none.
#[pin_data]
pub(crate) struct IdTable<T> {
    /// The object of a number is at that index.
    #[pin]
    objects: Mutex<KVVec<Option<T>>>,
    /// The most objects, index 0 included.
    max: usize,
}

impl<T> IdTable<T> {
    /// Returns the initializer of a table with an object of number 0, or none.
    pub(crate) fn new(default: Option<T>, max: usize) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            objects <- new_mutex!(
                {
                    let mut objects = KVVec::new();
                    objects.push(default, GFP_KERNEL)?;
                    objects
                },
                "IdTable::objects"
            ),
            max,
        })
    }

    /// Adds an object and returns its number, the lowest that is free. `ENOSPC` when the table is
    /// full.
    pub(crate) fn insert(&self, object: T) -> Result<u32> {
        let mut objects = self.objects.lock();
        let free = (1..objects.len()).find(|&index| objects[index].is_none());

        let index = match free {
            Some(index) => {
                objects[index] = Some(object);
                index
            }
            None if objects.len() == self.max => return Err(ENOSPC),
            None => {
                objects.push(Some(object), GFP_KERNEL)?;
                objects.len() - 1
            }
        };
        Ok(u32::try_from(index)?)
    }

    /// Takes an object out. `ENOENT` for 0 and when there is none of this number.
    pub(crate) fn remove(&self, id: u32) -> Result<T> {
        if id == 0 {
            return Err(ENOENT);
        }
        self.objects
            .lock()
            .get_mut(id as usize)
            .and_then(Option::take)
            .ok_or(ENOENT)
    }

    /// Takes all objects out.
    pub(crate) fn take_all(&self) -> KVVec<Option<T>> {
        core::mem::take(&mut *self.objects.lock())
    }

    /// Returns what `f` returns for an object. `ENOENT` when there is none of this number.
    pub(crate) fn get<R>(&self, id: u32, f: impl FnOnce(&T) -> R) -> Result<R> {
        let objects = self.objects.lock();
        let object = objects.get(id as usize).and_then(Option::as_ref);

        Ok(f(object.ok_or(ENOENT)?))
    }

    /// Calls `f` with the number of each object and the object.
    pub(crate) fn for_each(&self, mut f: impl FnMut(usize, &T)) {
        for (id, object) in self.objects.lock().iter().enumerate() {
            if let Some(object) = object {
                f(id, object);
            }
        }
    }
}
