// SPDX-License-Identifier: GPL-2.0

//! Trace events, recorded for a while.

use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::files::{Line, mounted};
use crate::harness::skip;

const TRACEFS: &str = "/sys/kernel/tracing";
const DRIVER: &str = "rust_gpu_ttm";
const SCHEDULER: &str = "gpu_scheduler";

/// An event of the driver: its name and its pairs.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) name: String,
    pairs: Line,
}

impl Event {
    /// An event out of a line of the trace: task, CPU, flags, time, then ours.
    fn parse(line: &str) -> Option<Self> {
        let (_, rest) = line.split_once(": rgt_")?;
        let (name, pairs) = rest.split_once(": ")?;
        Some(Self {
            name: name.to_owned(),
            pairs: Line::of_pairs(pairs.split(' ').filter_map(|pair| pair.split_once('='))),
        })
    }
}

impl Deref for Event {
    type Target = Line;

    fn deref(&self) -> &Line {
        &self.pairs
    }
}

/// Events are recorded into an instance of their own while this exists.
pub(super) struct Recording {
    path: PathBuf,
    system: &'static str,
}

/// Calls of a function are an event while this exists.
struct Probe;

impl Probe {
    const SYSTEM: &str = "rgt_calls";
    const EVENTS: &str = "/sys/kernel/tracing/kprobe_events";
}

impl Drop for Probe {
    fn drop(&mut self) {
        // Where it was made it can be removed.
        let _ = fs::write(Self::EVENTS, "");
    }
}

/// Gives a value in all calls of a function of the kernel's, or `module:function`, during `f`, as a
/// kprobe event fetches it.
pub(in crate::suites) fn values_in_calls(
    function: &str,
    value: &str,
    f: impl FnOnce() -> Result<()>,
) -> Result<Vec<u64>> {
    mounted("tracefs", TRACEFS, "events")?;
    if !Path::new(Probe::EVENTS).exists() {
        return skip("this kernel has no events of calls");
    }
    let event = format!("p:{}/call {function} value={value}:x64", Probe::SYSTEM);
    fs::write(Probe::EVENTS, &event).context(event)?;
    let _probe = Probe;
    let recording = Recording::of(Probe::SYSTEM, "calls")?;
    f()?;
    let lines = recording.stop_with_lines()?;
    let values = lines.iter().filter_map(|line| line.split_once(" value=0x"));
    let values = values.map(|(_, value)| u64::from_str_radix(value.trim(), 16));
    Ok(values.collect::<Result<_, _>>()?)
}

impl Recording {
    /// Records events of the driver.
    pub(super) fn start(name: &str) -> Result<Self> {
        Self::of(DRIVER, name)
    }

    /// Records events of the GPU scheduler.
    pub(super) fn of_scheduler(name: &str) -> Result<Self> {
        Self::of(SCHEDULER, name)
    }

    fn of(system: &'static str, name: &str) -> Result<Self> {
        mounted("tracefs", TRACEFS, "events")?;
        let path = PathBuf::from(TRACEFS).join("instances").join(name);
        fs::create_dir(&path).context("making a trace instance")?;
        let this = Self { path, system };
        // Events are sorted by this clock; that of each CPU may differ from the others'.
        fs::write(this.path.join("trace_clock"), "mono")?;
        fs::write(this.path.join("buffer_size_kb"), "8192")?;
        this.switch("1")?;
        Ok(this)
    }

    fn switch(&self, on: &str) -> Result<()> {
        let file = self.path.join("events").join(self.system).join("enable");
        fs::write(file, on).context("switching the events")
    }

    /// Ends it. Gives the events in their order.
    pub(super) fn stop(self) -> Result<Vec<Event>> {
        let lines = self.stop_with_lines()?;
        Ok(lines.iter().filter_map(|line| Event::parse(line)).collect())
    }

    /// As above, as the lines of the trace.
    pub(super) fn stop_with_lines(self) -> Result<Vec<String>> {
        self.switch("0")?;
        let text = fs::read_to_string(self.path.join("trace"))?;
        for line in text.lines().filter(|line| line.contains("LOST")) {
            ensure!(!line.contains("EVENTS"), "events were lost: {line}");
        }
        Ok(text.lines().map(str::to_owned).collect())
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        let _ = self.switch("0");
        let _ = fs::remove_dir(&self.path);
    }
}
