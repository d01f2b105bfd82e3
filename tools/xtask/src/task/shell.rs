// SPDX-License-Identifier: GPL-2.0

//! `make shell`: a guest to work in.

use std::io::{IsTerminal, stdin};
use std::process::ExitCode;

use anyhow::{Context, Result};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

use crate::guest::{Guest, Job, Machine, Terminal};
use crate::kernel::Flavour;
use crate::paths::Paths;
use crate::progress::say;

/// Boots the plain kernel, unless the caller chose the other, and gives its terminal to the caller.
pub(crate) fn shell(paths: &Paths) -> Result<ExitCode> {
    let guest = Guest::prepare(paths, paths.options.flavour(Flavour::Plain))?;
    say("  guest: a shell comes up; leave it by exit, end a stuck guest by Ctrl-A X");
    let size = tcgetwinsize(stdin())
        .ok()
        .filter(|size| size.ws_row > 0 && size.ws_col > 0)
        .map(|size| format!("stty rows {} cols {}\n", size.ws_row, size.ws_col))
        .unwrap_or_default();
    let saved = SavedTerminal::save()?;
    let outcome = guest.run(
        &Job {
            name: "shell",
            machine: &Machine::DEFAULT,
            script: &format!(
                "exec </dev/hvc0 >/dev/hvc0 2>&1\n{size}cat /mnt/modprobe\nsetsid -c sh -l\n"
            ),
            limit: None,
            terminal: Terminal::Ours,
            log: false,
        },
        |_| Ok(()),
    );
    drop(saved);
    let outcome = outcome?;
    for splat in &outcome.splats {
        say(&format!("the kernel complained:\n{}", splat.text));
    }
    say(&format!("  kernel log: {}", outcome.log.display()));
    outcome.status?;
    Ok(ExitCode::SUCCESS)
}

/// The terminal's settings, which QEMU changes and which come back however it
/// ends.
struct SavedTerminal(Option<Termios>);

impl SavedTerminal {
    fn save() -> Result<Self> {
        if !stdin().is_terminal() {
            return Ok(Self(None));
        }
        let settings = tcgetattr(stdin()).context("cannot read the terminal's settings")?;
        Ok(Self(Some(settings)))
    }
}

impl Drop for SavedTerminal {
    fn drop(&mut self) {
        if let Some(settings) = &self.0 {
            // An error cannot be shown when the terminal is gone.
            let _ = tcsetattr(stdin(), OptionalActions::Drain, settings);
        }
    }
}
