// SPDX-License-Identifier: GPL-2.0

//! Progress, on standard error: a bar on a terminal, a line every
//! half minute elsewhere.

use std::io::{IsTerminal, stderr};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

const QUIET: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_secs(2);

static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);
static TERMINAL: LazyLock<bool> = LazyLock::new(|| stderr().is_terminal());

/// Prints a line to standard error, past any bar.
pub(crate) fn say(line: &str) {
    BARS.suspend(|| eprintln!("{line}"));
}

/// Prints a line to standard output, past any bar.
pub(crate) fn show(line: &str) {
    BARS.suspend(|| println!("{line}"));
}

/// One long step.
pub(crate) struct Progress {
    name: String,
    start: Instant,
    told: Instant,
    expected: u64,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Begins a step of `expected` units; 0 if their number is not known.
    pub(crate) fn begin(name: &str, expected: u64) -> Self {
        let bar = TERMINAL.then(|| {
            let (bar, style) = match expected {
                0 => (
                    ProgressBar::new_spinner(),
                    "  {msg}: {elapsed} {spinner}".to_owned(),
                ),
                _ => (
                    ProgressBar::new(expected),
                    "  {msg}: {elapsed} [{bar:30}] {percent} %".to_owned(),
                ),
            };
            let style = ProgressStyle::with_template(&style)
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            let bar = BARS
                .add(bar)
                .with_style(style)
                .with_message(name.to_owned());
            bar.enable_steady_tick(Duration::from_millis(250));
            bar
        });
        let now = Instant::now();
        Self {
            name: name.to_owned(),
            start: now,
            told: now,
            expected,
            bar,
        }
    }

    /// Says how far the step is.
    pub(crate) fn at(&mut self, done: u64) {
        // An estimate may be too low; a step that runs is never complete.
        let done = done.min(self.expected.saturating_sub(1));
        if let Some(bar) = &self.bar {
            bar.set_position(done);
        } else if self.told.elapsed() >= QUIET {
            self.told = Instant::now();
            let elapsed = self.start.elapsed().as_secs();
            match self.expected {
                0 => say(&format!("  {}: {elapsed} s", self.name)),
                _ => say(&format!(
                    "  {}: {elapsed} s, {} %",
                    self.name,
                    done * 100 / self.expected
                )),
            }
        }
    }

    /// Ends the step; says so if it took long enough to be noticed.
    pub(crate) fn done(self) {
        if self.start.elapsed() >= SHORT {
            let elapsed = self.start.elapsed().as_secs();
            say(&format!("  {}: {elapsed} s, done", self.name));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
            BARS.remove(&bar);
        }
    }
}
