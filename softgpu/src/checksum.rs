// SPDX-License-Identifier: GPL-2.0

//! The CRC of [`packet::CHECKSUM`](crate::abi::packet::CHECKSUM).

use crc_fast::{CrcAlgorithm, Digest};

/// Zeros that are added at once.
const ZEROS: [u8; 4096] = [0; 4096];

/// The checksum of bytes that are added one after the other.
pub(crate) struct Checksum(Digest);

impl Default for Checksum {
    fn default() -> Self {
        Self(Digest::new_with_init_state(CrcAlgorithm::Crc32Iscsi, 0))
    }
}

impl Checksum {
    /// Adds bytes.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Adds zeros.
    pub(crate) fn add_zeros(&mut self, mut count: u64) {
        while count != 0 {
            let now = count.min(ZEROS.len() as u64);
            self.add(&ZEROS[..now as usize]);
            count -= now;
        }
    }

    /// The checksum of all that was added. The algorithm inverts its result, the packet does not.
    pub(crate) fn value(&self) -> u32 {
        !(self.0.finalize() as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::checksum::POLYNOMIAL;

    /// The definition, bit by bit.
    fn reference(bytes: &[u8]) -> u32 {
        bytes.iter().fold(0, |register, byte| {
            (0..8).fold(register ^ u32::from(*byte), |register, _| {
                (register >> 1) ^ ((register & 1) * POLYNOMIAL)
            })
        })
    }

    #[test]
    fn is_that_of_the_definition() {
        let bytes: Vec<u8> = (0..5000u32).map(|n| ((n * n) >> 3) as u8).collect();
        // Lengths that take another way through the crate each, in one go and in two.
        for length in [0, 1, 4, 15, 64, 255, 256, 257, 1000, 4096, 5000] {
            let mut whole = Checksum::default();
            whole.add(&bytes[..length]);
            assert_eq!(whole.value(), reference(&bytes[..length]), "{length}");
            let mut parts = Checksum::default();
            parts.add(&bytes[..length / 3]);
            parts.add(&bytes[length / 3..length]);
            assert_eq!(parts.value(), whole.value(), "{length}");
        }
    }

    #[test]
    fn zeros_are_bytes_like_others() {
        let mut sum = Checksum::default();
        sum.add_zeros(10);
        assert_eq!(sum.value(), 0);
        sum.add(&[1]);
        sum.add_zeros(5000);
        let mut bytes = vec![1];
        bytes.resize(5001, 0);
        assert_eq!(sum.value(), reference(&bytes));
    }
}
