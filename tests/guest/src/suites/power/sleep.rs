// SPDX-License-Identifier: GPL-2.0

//! How the system is sent to sleep, and woken.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use super::share;
use crate::harness::Outcome;

/// The state that is asked for.
const STATE: &str = "/sys/power/state";
/// How far the system goes, for tests.
const TEST: &str = "/sys/power/pm_test";
/// The hibernation mode.
const DISK: &str = "/sys/power/disk";
/// The debugfs file of KCSAN.
const KCSAN: &str = "/sys/kernel/debug/kcsan";
/// For how many seconds a test sleeps.
const TEST_DELAY: &str = "/sys/module/suspend/parameters/pm_test_delay";

/// The bridge that has the machine's power management.
const LPC: &str = "/sys/bus/pci/devices/0000:00:1f.0/config";
/// Its registers PMBASE and ACPI_CNTL, which say where that is.
const PM_BASE: u64 = 0x40;

/// When the alarm comes. It must not come while the system still goes to sleep.
const ALARM: Duration = Duration::from_secs(12);

/// A way to sleep.
#[derive(Clone, Copy, Debug)]
pub(in crate::suites) enum Sleep {
    /// Tasks are frozen, and memory is made free for the image of a hibernation.
    Image,
    /// Hibernation: the image goes to where memory is swapped to, and is read from there again at
    /// once, into the same kernel, whose devices have gone on for that.
    Disk,
    /// Hibernation with the machine reset behind it: the kernel that boots finds the image, and is
    /// replaced by it.
    Reset,
    /// Drivers have their devices sleep, which keep their power.
    Drivers,
    /// Devices are without power, as in suspend to idle, and the CPUs stay awake: nothing wakes them
    /// from that in QEMU, where the clock's alarm is an event of suspend to RAM only.
    Devices,
    /// Suspend to RAM: the machine is reset, but for its memory.
    Ram,
}

impl Sleep {
    /// Returns after the system was asleep. What prevents that is the error.
    pub(in crate::suites) fn enter(self) -> Outcome {
        Ok(self.try_enter()?)
    }

    /// As [`Self::enter`], where it takes long to fall asleep: an alarm of this time ends suspend to
    /// RAM.
    pub(in crate::suites) fn enter_until(self, alarm: Duration) -> Outcome {
        Ok(self.try_enter_until(alarm)?)
    }

    /// As [`Self::enter`], with the error of the kernel.
    pub(super) fn try_enter(self) -> io::Result<()> {
        self.try_enter_until(ALARM)
    }

    /// Itself, if the kernel outlasts it. One with KCSAN is reset by suspend to RAM: it has the code on
    /// the way back checked that sets the base of per-CPU data, which checks need.
    fn where_possible(self) -> Self {
        match self {
            Self::Ram if Path::new(KCSAN).exists() => Self::Devices,
            sleep => sleep,
        }
    }

    fn try_enter_until(self, time: Duration) -> io::Result<()> {
        let this = self.where_possible();
        let (test, state) = match this {
            Self::Image => ("freezer", "disk"),
            Self::Disk | Self::Reset => ("none", "disk"),
            Self::Drivers => ("devices", "freeze"),
            Self::Devices => ("platform", "freeze"),
            Self::Ram => ("none", "mem"),
        };
        fs::write(TEST_DELAY, "0")?;
        fs::write(TEST, test)?;
        let mode = match this {
            Self::Reset => "reboot",
            _ => "test_resume",
        };
        if state == "disk" {
            fs::write(DISK, mode)?;
        }
        let alarm = timerfd_create(TimerfdClockId::BoottimeAlarm, TimerfdFlags::CLOEXEC)?;
        if state == "mem" {
            let once = Itimerspec {
                it_interval: Timespec::default(),
                it_value: Timespec::try_from(time).map_err(io::Error::other)?,
            };
            timerfd_settime(&alarm, TimerfdTimerFlags::empty(), &once)?;
        }
        // The firmware should set this again on the way back from suspend to RAM, and does not: then
        // the machine neither sleeps again nor powers off.
        let lpc = File::options().read(true).write(true).open(LPC)?;
        let mut base = [0; 8];
        lpc.read_exact_at(&mut base, PM_BASE)?;
        let enter = || fs::write(STATE, state);
        let result = match this {
            Self::Disk | Self::Reset => share::without(enter).map_err(io::Error::other)?,
            _ => enter(),
        };
        lpc.write_all_at(&base, PM_BASE)?;
        result
    }
}
