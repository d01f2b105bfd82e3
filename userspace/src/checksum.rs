// SPDX-License-Identifier: MIT

//! The CHECKSUM packet's function, on the CPU.

use std::sync::LazyLock;

use crc_fast::{CrcParams, Digest};

use crate::abi::checksum::POLYNOMIAL;

/// Dwords that are summed at once.
pub(crate) const CHUNK: usize = 1024;

/// The definition, with the checksum of the digits from 1 to 9.
static PARAMS: LazyLock<CrcParams> = LazyLock::new(|| {
    let polynomial = POLYNOMIAL.reverse_bits().into();
    CrcParams::new("softgpu", 32, polynomial, 0, true, 0, 0x58e3_fa20)
});

/// The checksum of dwords in memory.
pub fn of_dwords(dwords: &[u32]) -> u64 {
    let mut sum = Checksum::default();
    sum.add(dwords);
    sum.value()
}

/// The checksum of `count` dwords that are all the same, as a FILL leaves them.
pub fn of_fill(pattern: u32, count: u64) -> u64 {
    let mut sum = Checksum::default();
    let chunk = [pattern; CHUNK];
    for start in (0..count).step_by(CHUNK) {
        sum.add(&chunk[..(count - start).min(CHUNK as u64) as usize]);
    }
    sum.value()
}

/// The checksum of dwords that are added one after the other.
pub(crate) struct Checksum(Digest);

impl Default for Checksum {
    fn default() -> Self {
        Self(Digest::new_with_params(*PARAMS))
    }
}

impl Checksum {
    /// Adds dwords.
    pub(crate) fn add(&mut self, dwords: &[u32]) {
        let mut buffer = [0; CHUNK * 4];
        for chunk in dwords.chunks(CHUNK) {
            for (bytes, dword) in buffer.as_chunks_mut().0.iter_mut().zip(chunk) {
                *bytes = dword.to_le_bytes();
            }
            self.0.update(&buffer[..chunk.len() * 4]);
        }
    }

    /// The checksum of all that was added.
    pub(crate) fn value(&self) -> u64 {
        self.0.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_crc_of_the_bytes() {
        assert_eq!(of_dwords(&[1]), 0xdd45_aab8);
        // The digits from 1 to 8, as CRC-32C has them but for its inversions.
        let digits = [b"1234", b"5678"].map(|four| u32::from_le_bytes(*four));
        assert_eq!(of_dwords(&digits), 0xecaf_3210);
        let inverted = [!digits[0], digits[1]];
        assert_eq!(!of_dwords(&inverted) as u32, 0x6087_809a);
    }

    #[test]
    fn zeros_sum_to_zero_and_order_matters() {
        assert_eq!(of_dwords(&[0; 64]), 0);
        assert_ne!(of_dwords(&[1, 2]), of_dwords(&[2, 1]));
    }

    #[test]
    fn a_fill_is_its_dwords() {
        for count in [0, 1, 100, CHUNK, 3 * CHUNK + 7] {
            let dwords = vec![0xdead_beef; count];
            assert_eq!(of_fill(0xdead_beef, count as u64), of_dwords(&dwords));
        }
    }
}
