// SPDX-License-Identifier: GPL-2.0

//! The bytes that the policy moves on traces of uses, compared with LRU and with the least
//! possible.

use kernel::{
    prelude::*,
    sizes::SZ_1M, //
};

use super::{
    belady,
    model::{
        Rule,
        Where, //
    },
    trace::{
        Dice,
        Trace, //
    },
};

const SIZE: u64 = SZ_1M as u64;
/// BOs that fit.
const FIT: usize = 100;
const CAPACITY: u64 = FIT as u64 * SIZE;

/// Bytes moved by LRU, by the policy with BOs that must be in VRAM, and with BOs that may be.
struct Moved {
    lru: u64,
    must: u64,
    may: u64,
}

fn measure(name: &str, trace: &Trace, capacity: u64) -> Result<Moved> {
    let moved = Moved {
        lru: trace.moved(capacity, Rule::Lru, Where::Vram)?,
        must: trace.moved(capacity, Rule::ScanResistant, Where::Vram)?,
        may: trace.moved(capacity, Rule::ScanResistant, Where::VramOrGtt)?,
    };

    pr_info!(
        "{}: MiB moved: lru {}, policy {}, with gtt {}\n",
        name,
        moved.lru / SIZE,
        moved.must / SIZE,
        moved.may / SIZE
    );
    Ok(moved)
}

/// As [`measure()`] for BOs of the same size, with the least possible as well.
fn measure_least(name: &str, trace: &Trace) -> Result<(Moved, u64)> {
    let least = belady::moved(trace, CAPACITY)?;

    pr_info!("{}: MiB moved at least: {}\n", name, least / SIZE);
    Ok((measure(name, trace, CAPACITY)?, least))
}

fn cyclic(count: usize, rounds: usize) -> Result<Trace> {
    let mut trace = Trace::new(count, SIZE)?;

    trace.rounds(0..count, rounds)?;
    Ok(trace)
}

/// Uses of `count` BOs of which each is used half as often as one with half its number.
fn zipf(count: usize, uses: usize) -> Result<Trace> {
    const WEIGHT: u64 = 1 << 32;
    let mut trace = Trace::new(count, SIZE)?;
    let mut dice = Dice::new(0x9e37_79b9_7f4a_7c15);
    let mut sums = KVVec::new();
    let mut sum = 0;
    for number in 1..=count as u64 {
        sum += WEIGHT / number;
        sums.push(sum, GFP_KERNEL)?;
    }
    for _ in 0..uses {
        let at = dice.below(sum);
        trace.touch(sums.partition_point(|&sum| sum <= at))?;
    }
    Ok(trace)
}

#[kunit_tests(rgt_policy_traces)]
mod tests {
    use super::*;

    #[test]
    fn a_little_too_much_in_turn() -> Result {
        let (moved, least) = measure_least("cyclic 110 %", &cyclic(110, 20)?)?;

        assert!(moved.must <= moved.lru / 4);
        assert!(moved.must <= least * 5 / 4);
        assert_eq!(moved.may, 0);
        Ok(())
    }

    #[test]
    fn much_too_much_in_turn() -> Result {
        let (moved, least) = measure_least("cyclic 200 %", &cyclic(200, 20)?)?;

        assert!(moved.must <= moved.lru * 3 / 5);
        assert!(moved.must <= least * 5 / 4);
        assert!(moved.may <= moved.lru / 10);
        Ok(())
    }

    #[test]
    fn what_fits_does_not_move() -> Result {
        let moved = measure("cyclic 90 %", &cyclic(90, 20)?, CAPACITY)?;

        assert_eq!((moved.lru, moved.must, moved.may), (0, 0, 0));
        Ok(())
    }

    #[test]
    fn different_sizes_in_turn() -> Result {
        let mut trace = cyclic(60, 20)?;
        let mut dice = Dice::new(1);
        for bo in 0..60 {
            trace.resize(bo, SIZE << dice.below(4));
        }
        let total: u64 = trace.sizes().iter().sum();
        let moved = measure("cyclic 110 %, sizes", &trace, total * 10 / 11)?;

        assert!(moved.must <= moved.lru / 4);
        assert!(moved.may <= moved.lru / 10);
        Ok(())
    }

    #[test]
    fn several_jobs_of_a_frame_are_one_use() -> Result {
        let mut trace = Trace::new(110, SIZE)?;
        for _ in 0..20 {
            for job in 0..11 {
                trace.rounds(job * 10..job * 10 + 10, 2)?;
            }
        }
        let (moved, _) = measure_least("cyclic 110 %, two jobs", &trace)?;

        assert!(moved.must <= moved.lru / 4);
        assert!(moved.may <= moved.lru / 10);
        Ok(())
    }

    #[test]
    fn new_set_takes_over() -> Result {
        let mut before = Trace::new(180, SIZE)?;
        before.rounds(0..90, 10)?;
        let mut three = Trace::new(180, SIZE)?;
        three.rounds(0..90, 10)?;
        three.rounds(90..180, 3)?;
        let mut many = Trace::new(180, SIZE)?;
        many.rounds(0..90, 10)?;
        many.rounds(90..180, 30)?;

        for place in [Where::Vram, Where::VramOrGtt] {
            let moved = |trace: &Trace| trace.moved(CAPACITY, Rule::ScanResistant, place);

            assert_eq!(moved(&before)?, 0);
            // Out with the old, in with the new, and hardly anything twice.
            let change = moved(&three)?;
            assert!(change >= 80 * SIZE);
            assert!(change <= 3 * 90 * SIZE);
            // Nothing moves after the third round.
            assert_eq!(moved(&many)?, change);
        }
        measure("phase change", &many, CAPACITY)?;
        Ok(())
    }

    #[test]
    fn scan_leaves_the_others_alone() -> Result {
        let mut trace = Trace::new(80 + 20 * 30, SIZE)?;
        for round in 0..20 {
            trace.rounds(0..80, 1)?;
            trace.rounds(80 + round * 30..80 + (round + 1) * 30, 1)?;
        }
        let (moved, _) = measure_least("scans", &trace)?;

        assert!(moved.must <= moved.lru / 4);
        assert!(moved.may <= moved.lru / 4);
        Ok(())
    }

    #[test]
    fn window_that_slides_is_as_with_lru() -> Result {
        let mut trace = Trace::new(600, SIZE)?;
        for frame in 0..100 {
            trace.rounds(frame * 5..frame * 5 + 95, 1)?;
        }
        let (moved, _) = measure_least("sliding window", &trace)?;

        assert!(moved.must <= moved.lru + moved.lru / 20);
        // A BO that enters the window has been in GTT before.
        assert!(moved.may <= 2 * moved.lru + moved.lru / 20);
        Ok(())
    }

    #[test]
    fn favourites_stay() -> Result {
        let (moved, _) = measure_least("zipf", &zipf(300, 10_000)?)?;

        assert!(moved.must <= moved.lru + moved.lru / 20);
        assert!(moved.may <= moved.lru / 2);
        Ok(())
    }

    #[test]
    fn no_order_is_no_worse() -> Result {
        let mut trace = Trace::new(150, SIZE)?;
        let mut dice = Dice::new(7);
        for _ in 0..5000 {
            trace.touch(dice.below(150) as usize)?;
        }
        let (moved, _) = measure_least("random", &trace)?;

        assert!(moved.must <= moved.lru + moved.lru / 20);
        assert!(moved.may <= moved.lru);
        Ok(())
    }
}
