// SPDX-License-Identifier: MIT

//! Reuse of BOs.
//!
//! Creating a BO costs clearing its memory, so a driver that needs many short-lived ones keeps
//! those it is done with. A BO from the cache holds whatever its last user left in it, or zeros:
//! the kernel may take the memory of those that are not in use.

use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::bo::{Bo, BoBuilder, BoFlags, BoPriority, Caching, Placement, WaitFor};
use crate::device::Device;
use crate::error::Result;
use crate::vm::Vm;

/// Entries that one request looks at before it gives up and creates a BO.
const SEARCH_LIMIT: usize = 16;

/// Properties in which a BO has to match to be reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    size: u64,
    placement: Placement,
    preferred: Placement,
    priority: BoPriority,
    flags: BoFlags,
    caching: Caching,
    alignment: u32,
    vm: Option<u32>,
}

impl Key {
    fn new(builder: &BoBuilder) -> Self {
        Self {
            size: builder.size,
            placement: builder.placement,
            preferred: builder.preferred,
            priority: builder.priority,
            flags: builder.flags,
            caching: builder.caching,
            alignment: builder.alignment,
            vm: builder.vm.as_ref().map(Vm::id),
        }
    }
}

/// The size of the bucket that a size belongs in: four to each power of two, so that at most a
/// fifth of a BO is wasted.
fn bucket(size: u64) -> u64 {
    let size = size.max(4096);
    let above = size.checked_next_power_of_two().unwrap_or(1 << 63);
    let step = (above / 8).max(4096);
    size.checked_next_multiple_of(step).unwrap_or(size)
}

#[derive(Debug)]
struct Entry {
    key: Key,
    bo: Bo,
    since: Instant,
}

#[derive(Debug)]
struct Shelf {
    /// Oldest first.
    entries: VecDeque<Entry>,
    bytes: u64,
    max_bytes: u64,
    max_age: Duration,
}

impl Shelf {
    fn take(&mut self, key: Key) -> Option<Bo> {
        let candidates = self
            .entries
            .iter()
            .enumerate()
            .filter(|(_, entry)| entry.key == key);
        // The oldest is the likeliest to be idle.
        let ready =
            |bo: &Bo| matches!(bo.is_idle(WaitFor::All), Ok(true)) && bo.will_need().is_ok();
        let (index, _) = candidates
            .take(SEARCH_LIMIT)
            .find(|(_, entry)| ready(&entry.bo))?;
        let entry = self.entries.remove(index)?;
        self.bytes -= entry.bo.size();
        Some(entry.bo)
    }

    fn put(&mut self, key: Key, bo: Bo, now: Instant) {
        // Not of one that others have too.
        let _ = bo.dont_need();
        self.bytes += bo.size();
        self.entries.push_back(Entry {
            key,
            bo,
            since: now,
        });
        self.evict(now);
    }

    fn evict(&mut self, now: Instant) {
        while let Some(oldest) = self.entries.front() {
            let aged = now.duration_since(oldest.since) > self.max_age;
            if !aged && self.bytes <= self.max_bytes {
                break;
            }
            self.bytes -= oldest.bo.size();
            self.entries.pop_front();
        }
    }
}

/// A cache of BOs of one device. Clones share it.
#[derive(Debug, Clone)]
pub struct BoCache {
    device: Device,
    shelf: Arc<Mutex<Shelf>>,
}

fn lock(shelf: &Mutex<Shelf>) -> MutexGuard<'_, Shelf> {
    shelf.lock().unwrap_or_else(PoisonError::into_inner)
}

impl BoCache {
    /// A cache that keeps BOs of at most `max_bytes` together, each for at most `max_age`. Age is
    /// looked at when BOs come and go.
    pub fn new(device: &Device, max_bytes: u64, max_age: Duration) -> Self {
        let shelf = Shelf {
            entries: VecDeque::new(),
            bytes: 0,
            max_bytes,
            max_age,
        };
        Self {
            device: device.clone(),
            shelf: Arc::new(Mutex::new(shelf)),
        }
    }

    /// An idle BO like this from the cache, or a new one. It may be larger than asked for, and
    /// holds anything.
    pub fn get(&self, mut builder: BoBuilder) -> Result<CachedBo> {
        builder.size = bucket(builder.size);
        let key = Key::new(&builder);
        let found = {
            let mut shelf = lock(&self.shelf);
            shelf.evict(Instant::now());
            shelf.take(key)
        };
        let bo = match found {
            Some(bo) => bo,
            None => match builder.clone().create(&self.device) {
                // The cache may hold the memory that is missing.
                Err(_) if self.clear() > 0 => builder.create(&self.device)?,
                result => result?,
            },
        };
        Ok(CachedBo {
            bo: Some(bo),
            shelf: Arc::downgrade(&self.shelf),
        })
    }

    /// Closes all BOs that are not in use; returns their bytes.
    pub fn clear(&self) -> u64 {
        let mut shelf = lock(&self.shelf);
        shelf.entries.clear();
        std::mem::take(&mut shelf.bytes)
    }

    /// Returns the bytes of the BOs that are not in use.
    pub fn bytes(&self) -> u64 {
        lock(&self.shelf).bytes
    }
}

/// A BO that goes back to its cache when dropped. Its jobs need not be done by then.
#[derive(Debug)]
pub struct CachedBo {
    /// Taken only by `drop`.
    bo: Option<Bo>,
    shelf: Weak<Mutex<Shelf>>,
}

impl Deref for CachedBo {
    type Target = Bo;

    fn deref(&self) -> &Bo {
        self.bo.as_ref().expect("only drop takes it")
    }
}

impl Drop for CachedBo {
    fn drop(&mut self) {
        if let (Some(bo), Some(shelf)) = (self.bo.take(), self.shelf.upgrade())
            // Others may still use it.
            && !bo.is_shared()
        {
            let key = Key::new(bo.made_as());
            lock(&shelf).put(key, bo, Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_whole_pages_and_waste_little() {
        assert_eq!(bucket(1), 4096);
        assert_eq!(bucket(4096), 4096);
        assert_eq!(bucket(4097), 8192);
        assert_eq!(bucket(1 << 20), 1 << 20);
        assert_eq!(bucket((1 << 20) + 1), 5 << 18);
        for shift in 16..40 {
            let size = (1u64 << shift) + 1;
            assert!(bucket(size) >= size && bucket(size) - size <= size / 4);
        }
        assert!(bucket(u64::MAX) == u64::MAX);
    }
}
