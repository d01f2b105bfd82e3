// SPDX-License-Identifier: GPL-2.0

//! A rate limit for messages that a guest can cause.

use std::time::{Duration, Instant};

/// Messages that may come in a period.
const BURST: u32 = 10;
const PERIOD: Duration = Duration::from_secs(10);

/// Lets the first messages of each period through.
#[derive(Debug, Default)]
pub(crate) struct LogLimit {
    began: Option<Instant>,
    /// Messages of this period.
    count: u32,
}

impl LogLimit {
    /// Calls `say` unless there have been too many messages lately. What it is given belongs to
    /// the end of the message: it tells how many were left out before.
    pub(crate) fn warn(&mut self, say: impl FnOnce(&str)) {
        self.warn_at(Instant::now(), say);
    }

    fn warn_at(&mut self, now: Instant, say: impl FnOnce(&str)) {
        let mut again = String::new();
        if self.began.is_none_or(|began| now - began >= PERIOD) {
            if self.count > BURST {
                again = format!(" ({} more were not shown)", self.count - BURST);
            }
            self.began = Some(now);
            self.count = 0;
        }
        self.count = self.count.saturating_add(1);
        if self.count <= BURST {
            say(&again);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_a_period() {
        let mut limit = LogLimit::default();
        let mut said = Vec::new();
        let start = Instant::now();
        for (at, times) in [(0, 25), (9, 5), (10, 1), (25, 1)] {
            for _ in 0..times {
                let now = start + Duration::from_secs(at);
                limit.warn_at(now, |again| said.push((at, again.to_owned())));
            }
        }
        let later: Vec<_> = said.split_off(BURST as usize);
        assert!(said.iter().all(|(at, again)| *at == 0 && again.is_empty()));
        let wanted = [
            (10, " (20 more were not shown)".to_owned()),
            (25, String::new()),
        ];
        assert_eq!(later, wanted);
    }
}
