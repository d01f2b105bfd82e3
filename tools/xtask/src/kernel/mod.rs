// SPDX-License-Identifier: GPL-2.0

//! The guests' kernels.

mod build;
mod source;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;

pub(crate) use self::source::Tree;
use crate::lock::Lock;
use crate::paths::Paths;

/// Which of the two kernels.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Flavour {
    /// Fast: for the demo, the shell and measurements.
    Plain,
    /// With every checker there is: for tests.
    Debug,
}

impl Flavour {
    /// The name in paths and messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Debug => "debug",
        }
    }
}

/// A built kernel. It does not change while this lives.
pub(crate) struct Kernel {
    dir: PathBuf,
    name: &'static str,
    _lock: Option<Lock>,
}

impl Kernel {
    /// The build tree.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The name in paths and messages.
    pub(crate) fn name(&self) -> &'static str {
        self.name
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
    if paths.kdir.is_none() {
        return source::tree(paths);
    }
    let kernel = ensure(paths, Flavour::Debug)?;
    Ok(Tree {
        version: kernel.release()?,
        dir: kernel.source()?,
    })
}

/// Gives the kernel, built if it is not there or its inputs have changed; or
/// the caller's own in place of it.
pub(crate) fn ensure(paths: &Paths, flavour: Flavour) -> Result<Kernel> {
    let Some(dir) = &paths.kdir else {
        return build::ensure(paths, flavour);
    };
    let kernel = Kernel {
        dir: dir.clone(),
        name: "kdir",
        _lock: None,
    };
    ensure!(
        kernel.image().exists(),
        "KDIR: {} is not there; guests need a build tree with a kernel in it",
        kernel.image().display()
    );
    Ok(kernel)
}
