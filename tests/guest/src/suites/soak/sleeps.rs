// SPDX-License-Identifier: GPL-2.0

//! Sleep of the GPU and of the system, with all memory in use, and resets of the device.

use std::time::Duration;

use anyhow::{Context, Result};
use rgt::Device;
use rustix::process::{Pid, Signal, kill_process};

use super::loops::Gate;
use crate::harness::{Control, Length, Outcome};
use crate::suites::power::Sleep;
use crate::suites::reset::reset_function;
use crate::suites::runtime_pm::Auto;

/// When the system wakes from suspend to RAM, which it has entered by then on any machine.
const ALARM: Duration = Duration::from_secs(30);

/// Who sends them to sleep.
pub(super) struct Sleeps<'a> {
    device: Device,
    auto: &'a Auto,
    control: Control,
    /// Processes that use the GPU all the time.
    pids: Vec<u32>,
    /// How often the device was reset by the bus, which may count as a loss of what was in VRAM.
    pub(super) resets: u64,
}

impl<'a> Sleeps<'a> {
    pub(super) fn new(device: &Device, auto: &'a Auto, pids: Vec<u32>) -> Result<Self> {
        Ok(Self {
            device: device.clone(),
            auto,
            control: Control::open()?,
            pids,
            resets: 0,
        })
    }

    /// The GPU falls asleep when all pause, and forgets all that it has or is reset; the system is
    /// sent to sleep while they do not.
    pub(super) fn round(&mut self, round: u32, gate: &Gate) -> Outcome {
        match round % 6 {
            0 => gate.closed(|| self.asleep(|this| this.control.send("power-loss 0"))),
            3 => gate.closed(|| {
                self.asleep(|this| {
                    this.resets += 1;
                    reset_function(&this.device)
                })
            }),
            // It takes longer than a short run has.
            5 => Length::choose(Sleep::Devices, Sleep::Ram)
                .enter_until(ALARM)
                .context("suspend to RAM"),
            _ => Sleep::Devices.enter().context("suspend to idle"),
        }
    }

    /// Does something to a GPU that sleeps.
    fn asleep(&mut self, f: impl FnOnce(&mut Self) -> Outcome) -> Outcome {
        self.signal(Signal::STOP)?;
        let done = self.auto.falls_asleep().and_then(|()| f(self));
        self.signal(Signal::CONT)?;
        done
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        for pid in &self.pids {
            let pid = Pid::from_raw(i32::try_from(*pid)?).context("a process number")?;
            kill_process(pid, signal)?;
        }
        Ok(())
    }
}
