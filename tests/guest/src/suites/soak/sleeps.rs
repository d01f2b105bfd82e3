// SPDX-License-Identifier: GPL-2.0

//! Sleep of the GPU and of the system, with all memory in use.

use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

use super::loops::Gate;
use crate::harness::{Length, Outcome};
use crate::suites::power::Sleep;
use crate::suites::runtime_pm::Auto;

/// When the system wakes from suspend to RAM, which it has entered by then on any machine.
const ALARM: Duration = Duration::from_secs(30);

/// Who sends them to sleep.
pub(super) struct Sleeps<'a> {
    auto: &'a Auto,
    /// Processes that use the GPU all the time.
    pids: Vec<u32>,
}

impl<'a> Sleeps<'a> {
    pub(super) fn new(auto: &'a Auto, pids: Vec<u32>) -> Self {
        Self { auto, pids }
    }

    /// The GPU falls asleep when all pause; the system is sent to sleep while they do not.
    pub(super) fn round(&mut self, round: u32, gate: &Gate) -> Outcome {
        match round % 6 {
            0 | 3 => gate.closed(|| {
                self.signal(Signal::STOP)?;
                let slept = self.auto.falls_asleep();
                self.signal(Signal::CONT)?;
                slept
            }),
            // It takes longer than a short run has.
            5 => Length::choose(Sleep::Devices, Sleep::Ram)
                .enter_until(ALARM)
                .context("suspend to RAM"),
            _ => Sleep::Devices.enter().context("suspend to idle"),
        }
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        for pid in &self.pids {
            let pid = Pid::from_raw(i32::try_from(*pid)?).context("a process number")?;
            kill_process(pid, signal)?;
        }
        Ok(())
    }
}
