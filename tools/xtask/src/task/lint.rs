// SPDX-License-Identifier: GPL-2.0

//! `make lint`: what can be said about the sources without running them.

mod files;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::kernel::{self, Flavour, Kernel};
use crate::lock::Lock;
use crate::module::{Build, Variant};
use crate::paths::Paths;
use crate::progress::show;
use crate::step::Step;

/// Runs every check.
pub(crate) fn lint(paths: &Paths) -> Result<ExitCode> {
    let _lock = Lock::exclusive(&paths.cache.join("lock/lint"))?;
    let kernel = kernel::ensure(paths, Flavour::Plain)?;
    let source = kernel.source()?;
    let style = source.join(".rustfmt.toml");
    let mut lint = Lint {
        paths,
        files: files::all(&paths.src)?,
        passed: 0,
        failed: 0,
    };

    let mut fmt = Command::new("cargo");
    fmt.args(["fmt", "--all", "--check", "--", "--config-path"]);
    lint.check("rustfmt, crates", "fmt-crates", fmt.arg(&style))?;

    let mut rustfmt = Command::new("rustfmt");
    rustfmt.args(["--check", "--edition", "2021", "--config-path"]);
    rustfmt.arg(&style).args(lint.files(files::is_module_rust));
    lint.check("rustfmt, module", "fmt-module", &mut rustfmt)?;

    let mut clippy = Command::new("cargo");
    clippy.args(["clippy", "--locked", "--workspace", "--all-targets"]);
    lint.check(
        "clippy, crates",
        "clippy",
        clippy.args(["--", "-D", "warnings"]),
    )?;

    lint.module(&kernel)?;

    let mut checkpatch = Command::new(source.join("scripts/checkpatch.pl"));
    checkpatch.args(["--no-tree", "--strict", "--terse", "--file"]);
    checkpatch.args(lint.files(files::is_kernel_c));
    lint.check("checkpatch --strict", "checkpatch", &mut checkpatch)?;

    let mut shellcheck = Command::new("shellcheck");
    shellcheck.args(lint.files(|file| files::is_shell(&paths.src.join(file))));
    lint.check("shellcheck", "shellcheck", &mut shellcheck)?;

    show(&format!(
        "{} checks passed, {} failed",
        lint.passed, lint.failed
    ));
    Ok(match lint.failed {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

struct Lint<'a> {
    paths: &'a Paths,
    files: Vec<PathBuf>,
    passed: usize,
    failed: usize,
}

impl Lint<'_> {
    fn files(&self, wanted: impl Fn(&Path) -> bool) -> Vec<&PathBuf> {
        self.files.iter().filter(|file| wanted(file)).collect()
    }

    /// Runs a program that succeeds when all is well and says what is not.
    fn check(&mut self, name: &str, log: &str, command: &mut Command) -> Result<()> {
        let step = Step::new(self.paths, name, &format!("lint-{log}"));
        let complaint = match step.status(command.current_dir(&self.paths.src))? {
            true => None,
            false => Some(fs::read_to_string(step.log())?),
        };
        self.report(name, complaint);
        Ok(())
    }

    /// Builds the module with all warnings on, which have to be none.
    fn module(&mut self, kernel: &Kernel) -> Result<()> {
        let build = Build::new(self.paths, kernel, Variant::Lint)?;
        let built = build.step.status(&mut build.command())?;
        let log = fs::read_to_string(build.step.log())?;
        let clean = built && !log.lines().any(|line| line.contains("warning:"));
        if !clean {
            // Another build would not compile, and so not warn about, what is
            // built.
            fs::remove_dir_all(&build.dir).context("cannot remove what was built")?;
        }
        self.report("clippy and W=1, module", (!clean).then_some(log));
        Ok(())
    }

    fn report(&mut self, name: &str, complaint: Option<String>) {
        match complaint {
            None => {
                self.passed += 1;
                show(&format!("ok   {name}"));
            }
            Some(text) => {
                self.failed += 1;
                show(&format!("FAIL {name}\n{text}"));
            }
        }
    }
}
