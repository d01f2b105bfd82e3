// SPDX-License-Identifier: GPL-2.0

//! Checks of the cargo workspace.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::check::{Check, Lint, by_success, by_warnings};
use crate::crates;
use crate::versions::Tool;

const TOOLS: &[Tool] = &[Tool::Rustc, Tool::Clippy];

/// The crates for others than this project: what is in their folders is all that they are made of.
const PACKAGES: [&str; 2] = ["softgpu-abi", "softgpu"];

/// Runs clippy on every target of every crate, and builds those for others from their packages.
pub(super) fn check(lint: &Lint<'_>) -> Result<()> {
    let mut clippy = Command::new("cargo");
    clippy.args(["clippy", "--locked", "--workspace", "--all-targets"]);
    clippy.args(match lint.is_strict(TOOLS)? {
        true => ["--", "-D", "warnings"],
        // Lints that others deny by themselves are findings, too; what is left are errors.
        false => ["--", "--cap-lints", "warn"],
    });
    let check = Check {
        name: "clippy, crates",
        log: "clippy",
        tools: TOOLS,
        judge: by_warnings,
    };
    lint.run(&check, &mut clippy)?;

    let target = crates::target()?.join("package-lint");
    forget_packages(&target)?;
    let mut package = Command::new("cargo");
    package.args(["package", "--locked", "--allow-dirty", "--target-dir"]);
    package.arg(&target);
    package.args(PACKAGES.map(|name| format!("--package={name}")));
    let check = Check {
        name: "cargo package",
        log: "package",
        tools: &[],
        judge: by_success,
    };
    lint.run(&check, &mut package)
}

/// Removes all that cargo has from earlier packages, in `target` and among the sources of
/// registries.
///
/// A package is built with the packages that it depends on, which come from a registry that cargo
/// makes of them. What a version in a registry is never changes, so cargo takes its sources and its
/// library for current however old they are.
fn forget_packages(target: &Path) -> Result<()> {
    remove(target)?;
    let sources = crates::home()?.join("registry/src");
    for registry in fs::read_dir(&sources).with_context(|| format!("{}", sources.display()))? {
        for source in fs::read_dir(registry?.path())? {
            let source = source?;
            if is_package(&source.file_name().to_string_lossy()) {
                remove(&source.path())?;
            }
        }
    }
    Ok(())
}

/// Tells whether the folder called `name`, after a crate and its version, is of one of [`PACKAGES`].
fn is_package(name: &str) -> bool {
    PACKAGES.iter().any(|package| {
        name.strip_prefix(package)
            .and_then(|rest| rest.strip_prefix('-'))
            .is_some_and(|version| version.starts_with(|first: char| first.is_ascii_digit()))
    })
}

fn remove(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(err) if err.kind() != ErrorKind::NotFound => {
            Err(err).with_context(|| format!("cannot remove {}", dir.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_told_from_crates_with_similar_names() {
        assert!(is_package("softgpu-0.1.0"));
        assert!(is_package("softgpu-abi-12.0.0"));
        assert!(!is_package("softgpu-tools-0.1.0"));
        assert!(!is_package("libc-0.2.191"));
    }
}
