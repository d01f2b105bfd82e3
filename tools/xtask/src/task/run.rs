// SPDX-License-Identifier: GPL-2.0

//! `make run`: the demo in a guest.

use std::fs;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::guest::{Guest, Job, Limit, Machine, Terminal};
use crate::kernel::Flavour;
use crate::paths::Paths;
use crate::progress::{say, show};

const LIMIT: Duration = Duration::from_secs(300);

/// Boots the plain kernel, unless the caller chose the other, and runs the demo; its status is
/// ours.
pub(crate) fn run(paths: &Paths) -> Result<ExitCode> {
    let guest = Guest::prepare(paths, paths.options.flavour(Flavour::Plain))?;
    let outcome = guest.run(
        &Job {
            name: "run",
            machine: &Machine::DEFAULT,
            script: "rgt-info && rgt-demo --out /mnt/out\n",
            limit: Some(Limit::time(LIMIT)),
            terminal: Terminal::None,
            log: true,
        },
        |line| {
            show(line);
            Ok(())
        },
    )?;
    let out = paths.out();
    fs::create_dir_all(&out)?;
    for entry in fs::read_dir(&outcome.out)? {
        let entry = entry?;
        let to = out.join(entry.file_name());
        fs::copy(entry.path(), &to).with_context(|| format!("cannot write {}", to.display()))?;
        show(&format!("saved out/{}", entry.file_name().display()));
    }
    for splat in &outcome.splats {
        say(&format!("the kernel complained:\n{}", splat.text));
    }
    let status = outcome.status?;
    say(&format!("  kernel log: {}", outcome.log.display()));
    Ok(match (status, outcome.splats.is_empty()) {
        (0, false) => ExitCode::FAILURE,
        (status, _) => ExitCode::from(u8::try_from(status).unwrap_or(1)),
    })
}
