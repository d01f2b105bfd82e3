// SPDX-License-Identifier: GPL-2.0

//! The driver's trace events, recorded for a while.

use std::fs;
use std::ops::Deref;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use super::files::{Line, mounted};

const TRACEFS: &str = "/sys/kernel/tracing";
const SYSTEM: &str = "rust_gpu_ttm";

/// An event: its name and its pairs.
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
pub(super) struct Recording(PathBuf);

impl Recording {
    pub(super) fn start(name: &str) -> Result<Self> {
        mounted("tracefs", TRACEFS, "events")?;
        let path = PathBuf::from(TRACEFS).join("instances").join(name);
        fs::create_dir(&path).context("making a trace instance")?;
        let this = Self(path);
        fs::write(this.0.join("buffer_size_kb"), "8192")?;
        this.switch("1")?;
        Ok(this)
    }

    fn switch(&self, on: &str) -> Result<()> {
        let file = self.0.join("events").join(SYSTEM).join("enable");
        fs::write(file, on).context("switching the events")
    }

    /// Ends it. Gives the events in their order.
    pub(super) fn stop(self) -> Result<Vec<Event>> {
        self.switch("0")?;
        let text = fs::read_to_string(self.0.join("trace"))?;
        for line in text.lines().filter(|line| line.contains("LOST")) {
            ensure!(!line.contains("EVENTS"), "events were lost: {line}");
        }
        Ok(text.lines().filter_map(Event::parse).collect())
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        let _ = self.switch("0");
        let _ = fs::remove_dir(&self.0);
    }
}
