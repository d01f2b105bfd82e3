// SPDX-License-Identifier: GPL-2.0

//! `make lint`: what can be said about the sources without running them.

mod check;
mod crates;
mod files;
mod format;
mod imports;
mod intree;
mod kernel_style;
mod module;
mod shell;

use std::process::ExitCode;
use std::thread;

use anyhow::{Result, anyhow};

use self::check::Lint;
use crate::kernel;
use crate::lock::Lock;
use crate::paths::Paths;
use crate::versions::Versions;
use crate::versions::green::{Run, Whole};

/// Runs every check. Those of the module wait for the kernel, the others only for its source.
pub(crate) fn lint(paths: &Paths) -> Result<ExitCode> {
    let _lock = Lock::exclusive(&paths.cache.join("lock/lint"))?;
    let tree = kernel::tree(paths)?;
    let versions = Versions::find(paths, Some(&tree.version))?;
    versions.show()?;
    let run = Run::begin(paths, Whole::Lint, &versions)?;
    let lint = Lint::new(paths, &versions)?;
    thread::scope(|scope| {
        let others = [
            scope.spawn(|| crates::check(&lint)),
            scope.spawn(|| {
                imports::check(&lint)?;
                format::check(&lint, &tree)?;
                kernel_style::check(&lint, &tree)?;
                shell::check(&lint)
            }),
        ];
        // All have to end before one's error is told.
        let module = module::check(&lint).and_then(|()| intree::check(&lint));
        let others = others.map(|check| {
            check
                .join()
                .unwrap_or_else(|_| Err(anyhow!("a check panicked")))
        });
        others.into_iter().chain([module]).collect::<Result<()>>()
    })?;
    if lint.is_clean() && paths.is_plain() {
        run.keep()?;
    }
    Ok(lint.close())
}
