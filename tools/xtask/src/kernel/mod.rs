// SPDX-License-Identifier: GPL-2.0

//! The guests' kernels: of the distribution's source, of a source of the caller's, or a finished
//! build.

mod build;
mod ksrc;
mod packaged;
mod source;
mod versions;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;

use self::ksrc::Home;
pub(crate) use self::source::Tree;
use crate::lock::Lock;
use crate::paths::Paths;

/// Which of the kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Flavour {
    /// Fast: for the demo, the shell and measurements.
    Plain,
    /// With every checker there is: for tests.
    Debug,
    /// With the one checker that does not go with the others: it looks for data races.
    Kcsan,
}

impl Flavour {
    /// The name in paths and messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Debug => "debug",
            Self::Kcsan => "kcsan",
        }
    }

    /// The files in tools/kernel that make its configuration.
    fn fragments(self) -> &'static [&'static str] {
        match self {
            Self::Plain => &["common.config"],
            Self::Debug => &["common.config", "debug.config"],
            Self::Kcsan => &["common.config", "kcsan.config"],
        }
    }
}

/// A built kernel. It does not change while this lives.
pub(crate) struct Kernel {
    dir: PathBuf,
    home: PathBuf,
    title: &'static str,
    key: String,
    _lock: Option<Lock>,
}

impl Kernel {
    /// The build tree.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The folder, in the cache, of what is built for kernels of the same source.
    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    /// The name in messages, and below [`home`](Self::home).
    pub(crate) fn title(&self) -> &'static str {
        self.title
    }

    /// The name that no other kernel has, for logs and locks.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// The image to boot.
    pub(crate) fn image(&self) -> PathBuf {
        self.dir.join("arch/x86/boot/bzImage")
    }

    /// The source tree of the build.
    pub(crate) fn source(&self) -> Result<PathBuf> {
        fs::canonicalize(self.dir.join("source"))
            .or_else(|_| fs::canonicalize(&self.dir))
            .with_context(|| format!("cannot find the source of {}", self.dir.display()))
    }

    /// The release, as `uname -r` says it.
    pub(crate) fn release(&self) -> Result<String> {
        let file = self.dir.join("include/config/kernel.release");
        let release =
            fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        Ok(release.trim().to_owned())
    }
}

/// Gives the source of what [`ensure`] builds, unpacked if it is not there: much sooner than the
/// kernel is.
pub(crate) fn tree(paths: &Paths) -> Result<Tree> {
    match (&paths.kdir, &paths.ksrc) {
        (None, None) => source::tree(paths),
        (None, Some(ksrc)) => ksrc::tree(ksrc),
        (Some(_), _) => {
            let kernel = ensure(paths, Flavour::Debug)?;
            Ok(Tree {
                version: kernel.release()?,
                dir: kernel.source()?,
            })
        }
    }
}

/// Checks the kernel that `paths` chooses, where it is the caller's, without building anything.
pub(crate) fn check(paths: &Paths) -> Result<()> {
    match (&paths.kdir, &paths.ksrc) {
        (Some(kdir), _) => finished(paths, kdir).map(drop),
        (None, Some(ksrc)) => ksrc::tree(ksrc).map(drop),
        (None, None) => Ok(()),
    }
}

/// Checks that the driver may be put into the source `ksrc`.
pub(crate) fn check_source(ksrc: &Path) -> Result<()> {
    ksrc::support(ksrc).map(drop)
}

/// Returns the kernel that `paths` chooses, in the given flavour:
///
/// - with `kdir`, that finished build, whatever its flavour;
/// - with `ksrc`, that source's, where `make` says what there is to build, once in a run;
/// - else the distribution's, built if it is not there or its inputs have changed.
pub(crate) fn ensure(paths: &Paths, flavour: Flavour) -> Result<Kernel> {
    match (&paths.kdir, &paths.ksrc) {
        (None, None) => packaged::ensure(paths, flavour),
        (None, Some(ksrc)) => ksrc::ensure(paths, ksrc, flavour),
        (Some(kdir), None) => finished(paths, kdir),
        (Some(_), Some(_)) => {
            bail!("KDIR= names a finished build and KSRC= a source to build: name one of them")
        }
    }
}

/// Returns a build of the caller's.
fn finished(paths: &Paths, dir: &Path) -> Result<Kernel> {
    let home = Home::of(paths, dir);
    let kernel = Kernel {
        dir: dir.to_owned(),
        home: home.dir,
        title: "kdir",
        key: format!("kdir-{}", home.hash),
        _lock: None,
    };
    ensure!(
        kernel.image().exists(),
        "KDIR: {} is not there; guests need a build tree with a kernel in it",
        kernel.image().display()
    );
    ksrc::record(&kernel.home, dir)?;
    Ok(kernel)
}
