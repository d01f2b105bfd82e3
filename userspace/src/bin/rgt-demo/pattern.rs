// SPDX-License-Identifier: MIT

//! Data that looks like noise, to tell one buffer's from another's.

/// `count` dwords that depend on `seed`.
pub(crate) fn of(seed: u32, count: usize) -> Vec<u32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    };
    (0..count).map(|_| next()).collect()
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn seeds_give_different_data() {
        assert_ne!(of(1, 16), of(2, 16));
        assert_eq!(of(1, 16), of(1, 16));
        assert!(of(3, 1000).windows(2).all(|pair| pair[0] != pair[1]));
    }
}
