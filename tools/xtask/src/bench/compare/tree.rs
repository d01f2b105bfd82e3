// SPDX-License-Identifier: GPL-2.0

//! The trees of `A=` and `B=`, whose kind is told by their content.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::kernel;
use crate::lock::Lock;
use crate::paths::{DriverSource, Paths};
use crate::step::Step;

/// A file that the driver's source has, and no kernel's.
const DRIVER: &str = "rust_gpu_ttm.rs";
/// A file that a configured kernel has, and a clean source does not.
const CONFIGURED: &str = "include/config/auto.conf";

/// One of the two that are compared.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Tree {
    /// A kernel's source, built as `KSRC=` is.
    Source(PathBuf),
    /// A finished kernel build, taken as `KDIR=` is.
    Build(PathBuf),
    /// The driver of this checkout, or of another one.
    Driver(PathBuf),
    /// The driver as of a commit of this checkout's history.
    Commit { name: String, hash: String },
}

impl Tree {
    /// Finds out what `name` is, and checks all that can be checked at once.
    pub(super) fn find(paths: &Paths, name: &str) -> Result<Self> {
        let path = paths.src.join(name);
        let tree = match path.is_dir() {
            true => Self::of_folder(&fs::canonicalize(path)?)?,
            false => Self::of_commit(paths, name)?,
        };
        if let Self::Source(_) | Self::Build(_) = tree {
            kernel::check(&tree.paths(paths)?)?;
        }
        Ok(tree)
    }

    fn of_folder(path: &Path) -> Result<Self> {
        let has = |file| path.join(file).exists();
        if has(DRIVER) {
            return Ok(Self::Driver(path.to_owned()));
        }
        if has(CONFIGURED) {
            return Ok(Self::Build(path.to_owned()));
        }
        ensure!(
            has("Makefile") && has("Kconfig"),
            "{} is neither a kernel's source, nor a build of one, nor a checkout of the driver",
            path.display()
        );
        Ok(Self::Source(path.to_owned()))
    }

    fn of_commit(paths: &Paths, name: &str) -> Result<Self> {
        let output = git(paths)
            .args(["rev-parse", "--verify", "--quiet", "--end-of-options"])
            .arg(format!("{name}^{{commit}}"))
            .stderr(Stdio::null())
            .output()
            .context("cannot run git")?;
        if !output.status.success() {
            bail!("there is no folder and no commit of that name");
        }
        Ok(Self::Commit {
            name: name.to_owned(),
            hash: String::from_utf8(output.stdout)?.trim().to_owned(),
        })
    }

    /// Its description, for a person.
    pub(super) fn title(&self) -> String {
        match self {
            Self::Source(path) => format!("kernel source {}", path.display()),
            Self::Build(path) => format!("kernel build {}", path.display()),
            Self::Driver(path) => format!("driver {}", path.display()),
            Self::Commit { name, hash } => format!("driver at {name} ({})", short(hash)),
        }
    }

    /// Its kind, for a program.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Source(_) => "kernel source",
            Self::Build(_) => "kernel build",
            Self::Driver(_) => "driver",
            Self::Commit { .. } => "commit",
        }
    }

    /// Returns `paths` with this tree in its place. A kernel is measured with this checkout's
    /// driver, a driver on the kernel that `paths` chooses; the programs that measure, and the
    /// device, are this checkout's always.
    pub(super) fn paths(&self, paths: &Paths) -> Result<Paths> {
        let mut own = paths.clone();
        match self {
            Self::Source(path) => (own.ksrc, own.kdir) = (Some(path.clone()), None),
            Self::Build(path) => (own.ksrc, own.kdir) = (None, Some(path.clone())),
            Self::Driver(path) if *path == fs::canonicalize(&paths.src)? => {}
            Self::Driver(path) => own.driver = Some(DriverSource::new(path)),
            Self::Commit { hash, .. } => {
                own.driver = Some(DriverSource::new(&check_out(paths, hash)?))
            }
        }
        Ok(own)
    }
}

/// Gives the sources of a commit, in the cache.
fn check_out(paths: &Paths, hash: &str) -> Result<PathBuf> {
    let home = paths.cache.join("states");
    fs::create_dir_all(&home)?;
    let _lock = Lock::exclusive(&paths.cache.join("lock/states"))?;
    let dir = home.join(hash);
    if dir.is_dir() {
        return Ok(dir);
    }
    let new = home.join("new");
    if new.exists() {
        fs::remove_dir_all(&new)?;
    }
    fs::create_dir(&new)?;
    let archive = home.join("new.tar");
    Step::new(paths, "driver state", "state").run(
        git(paths)
            .args(["archive", "--format=tar", "--output"])
            .args([archive.as_os_str(), hash.as_ref()]),
    )?;
    Step::new(paths, "driver state: unpack", "state").run(
        Command::new("tar")
            .arg("-xf")
            .arg(&archive)
            .arg("-C")
            .arg(&new),
    )?;
    fs::remove_file(&archive)?;
    ensure!(
        new.join(DRIVER).exists(),
        "{} has no driver in it",
        short(hash)
    );
    fs::rename(&new, &dir)?;
    Ok(dir)
}

/// A command of git's on this checkout, whose owner may be another user.
fn git(paths: &Paths) -> Command {
    let mut git = Command::new("git");
    git.args(["-c", "safe.directory=*", "-C"]).arg(&paths.src);
    git
}

fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_told_apart_by_what_is_in_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path();
        let touch = |file: &str| {
            let file = path.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
        };
        let error = Tree::of_folder(path).unwrap_err().to_string();
        assert!(error.contains("neither"), "{error}");
        touch("Makefile");
        touch("Kconfig");
        assert_eq!(Tree::of_folder(path).unwrap().kind(), "kernel source");
        // A source that was built in place is a build.
        touch(CONFIGURED);
        assert_eq!(Tree::of_folder(path).unwrap().kind(), "kernel build");
        touch(DRIVER);
        assert_eq!(Tree::of_folder(path).unwrap().kind(), "driver");
    }
}
