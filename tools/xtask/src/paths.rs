// SPDX-License-Identifier: GPL-2.0

//! Where things are: the checkout, the cache, and a kernel of the caller's.

use std::env;
use std::fs;
use std::hash::Hasher;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use fnv::FnvHasher;

use crate::options::Options;

/// The checkout and the cache, as tools/root.sh names them.
#[derive(Clone)]
pub(crate) struct Paths {
    /// The checkout.
    pub(crate) src: PathBuf,
    /// The folder of all that tasks make and keep.
    pub(crate) cache: PathBuf,
    /// A finished kernel build given by the caller, in place of our own kernels.
    pub(crate) kdir: Option<PathBuf>,
    /// A kernel source given by the caller, to build our kernels from. It is only read.
    pub(crate) ksrc: Option<PathBuf>,
    /// The driver's source, if it is not the checkout.
    pub(crate) driver: Option<DriverSource>,
    /// The caller's other variables.
    pub(crate) options: Options,
}

impl Paths {
    /// Takes the paths from the environment.
    pub(crate) fn from_env() -> Result<Self> {
        let var = |name| {
            env::var_os(name)
                .map(PathBuf::from)
                .with_context(|| format!("{name} is not set; start this by tools/root.sh"))
        };
        let given = |name| {
            env::var_os(name)
                .filter(|path| !path.is_empty())
                .map(PathBuf::from)
        };
        let paths = Self {
            src: var("RGT_SRC")?,
            cache: var("RGT_CACHE")?,
            kdir: given("KDIR"),
            ksrc: given("KSRC"),
            driver: None,
            options: Options::from_env()?,
        };
        for dir in ["log", "lock", "run"] {
            fs::create_dir_all(paths.cache.join(dir))?;
        }
        Ok(paths)
    }

    /// Tells whether the kernels are the distribution's and the caller wants nothing changed.
    pub(crate) fn is_plain(&self) -> bool {
        self.kdir.is_none() && self.ksrc.is_none() && self.options == Options::default()
    }

    /// The log of the step called `name`.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.cache.join("log").join(format!("{name}.log"))
    }

    /// Where a task leaves what the caller asked for.
    pub(crate) fn out(&self) -> PathBuf {
        self.src.join("out")
    }
}

/// Another state of the driver's source than the checkout's.
#[derive(Clone)]
pub(crate) struct DriverSource {
    /// Where it is.
    pub(crate) dir: PathBuf,
    /// A word that no other state has, for the names of what is built from it.
    pub(crate) key: String,
}

impl DriverSource {
    /// The state in the folder `dir`.
    pub(crate) fn new(dir: &Path) -> Self {
        let mut hasher = FnvHasher::default();
        hasher.write(dir.as_os_str().as_bytes());
        Self {
            dir: dir.to_owned(),
            key: format!("{:016x}", hasher.finish()),
        }
    }
}

/// The last `count` lines of a file, for an error message.
pub(crate) fn tail(path: &Path, count: usize) -> String {
    let bytes = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
