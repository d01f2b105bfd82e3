// SPDX-License-Identifier: GPL-2.0

//! How long a guest may take, and how long it may say nothing.

use std::time::{Duration, Instant};

/// How long a boot may take.
const BOOT: Duration = Duration::from_secs(1200);
/// How long a guest may say nothing while it boots; the longest that it takes on a busy machine is
/// a fraction of it.
const BOOT_SILENCE: Duration = Duration::from_secs(240);
/// How long a guest may take to power off.
const POWER_OFF: Duration = Duration::from_secs(120);

/// The limits of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limit {
    /// How long it may take, or each of its parts.
    pub(crate) time: Duration,
    /// How long it may say nothing, apart from times that it announces.
    pub(crate) silence: Duration,
}

impl Limit {
    /// Returns the limit of a job that may say nothing at all.
    pub(crate) const fn time(time: Duration) -> Self {
        Self {
            time,
            silence: Duration::MAX,
        }
    }
}

/// The time that a guest has left, in its boot or in a part of its job.
pub(super) struct Watch {
    job: Option<Limit>,
    deadline: Instant,
    heard: Instant,
    silence: Duration,
}

impl Watch {
    /// Begins with the boot.
    pub(super) fn boot(now: Instant) -> Self {
        Self {
            job: None,
            deadline: now + BOOT,
            heard: now,
            silence: BOOT_SILENCE,
        }
    }

    /// Notes that the job begins.
    pub(super) fn job(&mut self, now: Instant, limit: Limit) {
        self.job = Some(limit);
        self.heard = now;
        self.part(now);
    }

    /// Notes that another part of the job begins.
    pub(super) fn part(&mut self, now: Instant) {
        if let Some(limit) = self.job {
            self.deadline = now + limit.time + POWER_OFF;
            self.silence = limit.silence;
        }
    }

    /// Notes a line of the kernel's log, which counts while the guest boots: a job that hangs need
    /// not keep the kernel from saying something.
    pub(super) fn console(&mut self, now: Instant) {
        if self.job.is_none() {
            self.heard = now;
        }
    }

    /// Notes a line of the job's output.
    pub(super) fn output(&mut self, now: Instant) {
        self.heard = now;
    }

    /// Notes that the job goes on with something that has its own limit, and may say nothing for
    /// that long.
    pub(super) fn announced(&mut self, limit: Duration) {
        if let Some(job) = self.job {
            self.silence = job.silence.saturating_add(limit);
        }
    }

    /// Returns what the guest has exceeded.
    pub(super) fn exceeded(&self, now: Instant) -> Option<String> {
        let silent = now.saturating_duration_since(self.heard);
        if silent >= self.silence {
            return Some(format!("it said nothing for {} s", silent.as_secs()));
        }
        (now >= self.deadline).then(|| "its time was over".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Limit = Limit {
        time: Duration::from_secs(3600),
        silence: Duration::from_secs(600),
    };

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_boot_ends_in_time_and_is_not_silent() {
        let start = Instant::now();
        let mut watch = Watch::boot(start);
        assert_eq!(watch.exceeded(start + seconds(239)), None);
        let said = watch.exceeded(start + seconds(240)).unwrap();
        assert_eq!(said, "it said nothing for 240 s");
        watch.console(start + seconds(1100));
        let over = watch.exceeded(start + seconds(1200)).unwrap();
        assert_eq!(over, "its time was over");
    }

    #[test]
    fn a_job_that_says_nothing_is_ended() {
        let start = Instant::now();
        let mut watch = Watch::boot(start);
        watch.job(start, LIMIT);
        watch.output(start + seconds(500));
        // Whatever the kernel says.
        watch.console(start + seconds(1000));
        assert_eq!(watch.exceeded(start + seconds(1099)), None);
        assert!(watch.exceeded(start + seconds(1100)).is_some());

        watch.job(start, Limit::time(seconds(3600)));
        assert_eq!(watch.exceeded(start + seconds(3700)), None);
        assert!(watch.exceeded(start + seconds(3720)).is_some());
    }

    #[test]
    fn a_test_may_be_silent_for_its_own_limit_and_a_part_begins_anew() {
        let start = Instant::now();
        let mut watch = Watch::boot(start);
        watch.job(start, LIMIT);
        watch.announced(seconds(900));
        watch.output(start + seconds(10));
        assert_eq!(watch.exceeded(start + seconds(1509)), None);
        assert!(watch.exceeded(start + seconds(1510)).is_some());

        watch.output(start + seconds(3000));
        watch.part(start + seconds(3000));
        assert_eq!(watch.exceeded(start + seconds(3599)), None);
        assert!(watch.exceeded(start + seconds(3600)).is_some());
    }
}
