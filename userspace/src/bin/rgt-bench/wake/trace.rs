// SPDX-License-Identifier: MIT

//! The kernel's trace events, with the CPU's own clock.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

const TRACEFS: &str = "/sys/kernel/tracing";
/// No filter.
pub(super) const ALL: &str = "0";

/// An event.
#[derive(Debug, Clone)]
pub(super) struct Event {
    /// Its folder below `events`.
    folder: &'static str,
    /// Which of its kind, in the words of its filter.
    which: String,
}

impl Event {
    pub(super) fn new(folder: &'static str, which: impl Into<String>) -> Self {
        let which = which.into();
        Self { folder, which }
    }

    /// When it happened, if a line of the trace is about it.
    fn time(&self, line: &str) -> Option<u64> {
        let name = self.folder.rsplit('/').next()?;
        let (before, _) = line.split_once(&format!(": {name}: "))?;
        before.split_whitespace().next_back()?.parse().ok()
    }

    /// The times in a trace.
    fn times(&self, text: &str) -> impl DoubleEndedIterator<Item = u64> {
        text.lines().filter_map(|line| self.time(line))
    }
}

/// A buffer of events of our own.
pub(super) struct Trace(PathBuf);

impl Trace {
    /// Makes one that notes these events.
    pub(super) fn of(events: &[&Event]) -> Result<Self> {
        let folder = Path::new(TRACEFS).join("instances/rgt-bench");
        fs::create_dir(&folder).with_context(|| folder.display().to_string())?;
        let trace = Self(folder);
        // In the unit of the counter that programs can read, too.
        trace.set("trace_clock", "x86-tsc")?;
        for event in events {
            let folder = Path::new("events").join(event.folder);
            trace.set(folder.join("filter"), &event.which)?;
            trace.set(folder.join("enable"), "1")?;
        }
        Ok(trace)
    }

    /// Forgets what has happened.
    pub(super) fn clear(&self) -> Result<()> {
        self.set("trace", "")
    }

    /// Returns the events since.
    pub(super) fn text(&self) -> Result<String> {
        Ok(fs::read_to_string(self.0.join("trace"))?)
    }

    fn set(&self, file: impl AsRef<Path>, value: &str) -> Result<()> {
        let path = self.0.join(file);
        fs::write(&path, value).with_context(|| path.display().to_string())
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        // An instance that stays behind holds some memory, no more.
        let _ = fs::remove_dir(&self.0);
    }
}

/// When an event happened for the last time.
pub(super) fn last(text: &str, event: &Event) -> Result<u64> {
    let found = event.times(text).next_back();
    found.with_context(|| format!("the trace has no {}:\n{text}", event.folder))
}

/// When an event happened first after a moment, if it did.
pub(super) fn first_after(text: &str, event: &Event, moment: u64) -> Option<u64> {
    event.times(text).find(|time| *time > moment)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# tracer: nop
          <idle>-0       [000] d.h1.        1000: irq_handler_entry: irq=30 name=rust_gpu_ttm-engine1
     rgt-bench-70        [000] d..3.        1100: sched_waking: comm=rgt-bench pid=70 prio=120
          <idle>-0       [000] d.h1.        2000: irq_handler_entry: irq=30 name=rust_gpu_ttm-engine1
 irq/30: a: b-59         [000] d..2.        2400: sched_waking: comm=rgt-bench pid=70 prio=120
 irq/30: a: b-59         [000] d..2.        2500: sched_waking: comm=rgt-bench pid=70 prio=120
";

    #[test]
    fn events_are_found_by_time() {
        let interrupt = Event::new("irq/irq_handler_entry", ALL);
        let waking = Event::new("sched/sched_waking", ALL);
        let start = last(TEXT, &interrupt).unwrap();
        assert_eq!(start, 2000);
        assert_eq!(first_after(TEXT, &waking, start), Some(2400));
        assert_eq!(first_after(TEXT, &waking, 2500), None);
        assert!(last(TEXT, &Event::new("sched/sched_switch", ALL)).is_err());
    }
}
