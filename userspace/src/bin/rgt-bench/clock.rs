// SPDX-License-Identifier: MIT

//! Clocks, and what a piece of work costs the thread that does it.

use std::sync::OnceLock;

use rustix::time::{ClockId, clock_gettime};

/// Returns the thread's CPU time so far; waiting does not count.
fn now() -> u64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// The CPU's own clock, which goes on whatever runs. Where instructions are counted it does nothing
/// else.
pub(crate) fn counter() -> u64 {
    // SAFETY: Every x86-64 CPU has the instruction, and Linux lets programs use it.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Returns the cost of reading the clock itself.
fn overhead() -> u64 {
    static OVERHEAD: OnceLock<u64> = OnceLock::new();
    *OVERHEAD.get_or_init(|| {
        let mut samples = Samples::default();
        for _ in 0..101 {
            let start = now();
            samples.0.push(now() - start);
        }
        samples.median()
    })
}

/// Costs of the same work, done many times. An interrupt may fall into one of them.
#[derive(Debug, Default, Clone)]
pub(crate) struct Samples(Vec<u64>);

impl Samples {
    /// Does the work and adds what it cost.
    pub(crate) fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let overhead = overhead();
        let start = now();
        let done = work();
        self.0.push((now() - start).saturating_sub(overhead));
        done
    }

    /// Adds a cost that was found in another way.
    pub(crate) fn add(&mut self, cost: u64) {
        self.0.push(cost);
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The one in the middle.
    pub(crate) fn median(&self) -> u64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::Samples;

    #[test]
    fn the_median_is_no_outlier() {
        assert_eq!(Samples(vec![3, 1, 1000, 2, 4]).median(), 3);
        assert_eq!(Samples::default().median(), 0);
    }

    #[test]
    fn more_work_costs_more() {
        let (mut little, mut much) = (Samples::default(), Samples::default());
        for _ in 0..9 {
            little.time(|| std::hint::black_box((0..100u64).sum::<u64>()));
            much.time(|| (0..1_000_000u64).fold(0, |a, b| std::hint::black_box(a ^ b)));
        }
        assert!(little.median() < much.median());
    }
}
