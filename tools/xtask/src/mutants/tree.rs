// SPDX-License-Identifier: GPL-2.0

//! The kernel's source with the faults in it, in the cache.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::kernel::{self, Tree};
use crate::lock::Lock;
use crate::paths::Paths;
use crate::step::Step;

/// The faults, below the checkout.
pub(super) const PATCH: &str = "tools/mutants/mutants.patch";

/// Gives the source with the faults, to be built as a source of the caller's is. Only what the patch
/// changes is written again when that has changed.
pub(super) fn ensure(paths: &Paths) -> Result<PathBuf> {
    let home = paths.cache.join("mutants");
    fs::create_dir_all(&home)?;
    let _lock = Lock::exclusive(&paths.cache.join("lock/mutants"))?;
    let source = kernel::tree(paths)?;
    let (dir, version, applied) = (
        home.join("linux"),
        home.join("version"),
        home.join("applied.patch"),
    );
    if fs::read_to_string(&version).ok().as_ref() != Some(&source.version) {
        copy(paths, &source, &dir)?;
        if applied.exists() {
            fs::remove_file(&applied)?;
        }
        fs::write(&version, &source.version)?;
    }

    let wanted = paths.src.join(PATCH);
    if fs::read(&applied).ok() == Some(fs::read(&wanted)?) {
        return Ok(dir);
    }
    if applied.exists() {
        patch(paths, &dir, &applied, &["--reverse"])?;
        fs::remove_file(&applied)?;
    }
    patch(paths, &dir, &wanted, &[])?;
    fs::copy(&wanted, &applied)?;
    Ok(dir)
}

fn copy(paths: &Paths, source: &Tree, dir: &Path) -> Result<()> {
    if dir.exists() {
        fs::remove_dir_all(dir)?;
    }
    Step::new(paths, "mutants: copy the kernel's source", "mutants-copy")
        .run(Command::new("cp").arg("-a").args([&source.dir, dir]))
}

/// Applies a patch, or takes it out with `--reverse`.
fn patch(paths: &Paths, dir: &Path, patch: &Path, options: &[&str]) -> Result<()> {
    Step::new(paths, "mutants: patch", "mutants-patch").run(
        Command::new("git")
            .args(["apply", "--whitespace=nowarn"])
            .args(options)
            .arg(patch)
            .current_dir(dir)
            // The cache may be in a repository, which is not meant.
            .env("GIT_CEILING_DIRECTORIES", &paths.cache),
    )
}
