// SPDX-License-Identifier: MIT

//! The CHECKSUM packet's function, on the CPU.

use crate::abi::checksum::step;

/// The checksum of dwords in memory.
pub fn of_dwords(dwords: &[u32]) -> u64 {
    dwords.iter().fold(0, |state, dword| step(state, *dword))
}

/// The checksum of `count` dwords that are all the same, as a FILL leaves them.
pub fn of_fill(pattern: u32, count: u64) -> u64 {
    (0..count).fold(0, |state, _| step(state, pattern))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::checksum::MULTIPLIER;

    #[test]
    fn one_dword_is_multiplied() {
        assert_eq!(of_dwords(&[1]), MULTIPLIER);
        assert_eq!(of_dwords(&[3]), MULTIPLIER.wrapping_mul(3));
    }

    #[test]
    fn zeros_sum_to_zero_and_order_matters() {
        assert_eq!(of_dwords(&[0; 64]), 0);
        assert_ne!(of_dwords(&[1, 2]), of_dwords(&[2, 1]));
    }

    #[test]
    fn a_fill_is_its_dwords() {
        assert_eq!(of_fill(0xdead_beef, 100), of_dwords(&[0xdead_beef; 100]));
    }
}
