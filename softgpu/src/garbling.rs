// SPDX-License-Identifier: GPL-2.0

//! Messages of a client that arrive garbled.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use foldhash::fast::FixedState;

/// How often messages do, and how many have.
#[derive(Default)]
pub struct Garbling {
    /// One in so many; 0 is none.
    one_in: AtomicU32,
    seen: AtomicU64,
    garbled: AtomicU64,
}

impl Garbling {
    /// Garbles one message in `one_in` from now on, or none if that is 0.
    pub fn set(&self, one_in: u32) {
        self.one_in.store(one_in, Ordering::Relaxed);
    }

    /// Returns how many messages came garbled.
    pub fn garbled(&self) -> u64 {
        self.garbled.load(Ordering::Relaxed)
    }

    /// Sees a message, and changes a bit or a word of it if it is one of those. The same messages
    /// change the same way each time.
    pub fn pass(&self, message: &mut [u8]) {
        let one_in = self.one_in.load(Ordering::Relaxed);
        if one_in == 0 || message.is_empty() {
            return;
        }
        let number = self.seen.fetch_add(1, Ordering::Relaxed);
        let hash = FixedState::with_seed(0).hash_one(number);
        if !hash.is_multiple_of(one_in.into()) {
            return;
        }
        self.garbled.fetch_add(1, Ordering::Relaxed);
        let [low, high, kind, bit, word @ ..] = hash.rotate_left(32).to_le_bytes();
        let at = usize::from(u16::from_le_bytes([low, high])) % message.len();
        let words = message.as_chunks_mut::<4>().0;
        match (kind % 4, words.get_mut(at / 4)) {
            (1, Some(other)) => *other = [0; 4],
            (2, Some(other)) => *other = [0xff; 4],
            (3, Some(other)) => *other = word,
            _ => message[at] ^= 1 << (bit % 8),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Garbling;

    /// How many of a hundred messages come otherwise than they went.
    fn garbled(one_in: u32) -> usize {
        let garbling = Garbling::default();
        garbling.set(one_in);
        let changed = (0..100).filter(|_| {
            let mut message = [0x55; 22];
            garbling.pass(&mut message);
            message != [0x55; 22]
        });
        let changed = changed.count();
        assert_eq!(garbling.garbled(), changed as u64);
        changed
    }

    #[test]
    fn as_many_are_as_were_asked_for() {
        assert_eq!(garbled(0), 0);
        assert_eq!(garbled(1), 100);
        assert!((10..60).contains(&garbled(4)));
        Garbling::default().pass(&mut []);
    }
}
