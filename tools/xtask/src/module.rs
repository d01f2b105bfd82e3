// SPDX-License-Identifier: GPL-2.0

//! Building modules for a kernel, the driver and the example, outside the checkout.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::available_parallelism;

use anyhow::{Context, Result};

use crate::kernel::Kernel;
use crate::lock::Lock;
use crate::paths::Paths;
use crate::step::Step;

/// The module's file name.
pub(crate) const FILE: &str = "rust_gpu_ttm.ko";

/// The example's file name.
const EXAMPLE: &str = "softgpu_copy.ko";

/// How the module is built.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variant {
    /// As a user would.
    Driver,
    /// With the KUnit suites in it.
    Kunit,
    /// For its warnings, with clippy.
    Lint,
    /// The same, with the KUnit suites in it.
    KunitLint,
    /// Not the driver, but the example in C.
    Example,
    /// The example, for its warnings.
    ExampleLint,
}

impl Variant {
    /// The driver, with or without its KUnit suites.
    pub(crate) fn of(kunit: bool) -> Self {
        match kunit {
            true => Self::Kunit,
            false => Self::Driver,
        }
    }

    fn suffix(self) -> &'static str {
        match self {
            Self::Driver => "",
            Self::Kunit => "-kunit",
            Self::Lint => "-lint",
            Self::KunitLint => "-kunit-lint",
            Self::Example => "-example",
            Self::ExampleLint => "-example-lint",
        }
    }

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Driver | Self::Example => &[],
            Self::ExampleLint => &["W=1"],
            Self::Kunit => &["CONFIG_DRM_RUST_GPU_TTM_KUNIT_TEST=y"],
            Self::Lint => &["CLIPPY=1", "W=1"],
            Self::KunitLint => &["CLIPPY=1", "W=1", "CONFIG_DRM_RUST_GPU_TTM_KUNIT_TEST=y"],
        }
    }

    /// Where its sources are in the checkout `src`.
    fn sources(self, src: &Path) -> PathBuf {
        match self {
            Self::Example | Self::ExampleLint => src.join("examples/c-driver"),
            Self::Driver | Self::Kunit | Self::Lint | Self::KunitLint => src.to_owned(),
        }
    }

    fn file(self) -> &'static str {
        match self {
            Self::Example | Self::ExampleLint => EXAMPLE,
            Self::Driver | Self::Kunit | Self::Lint | Self::KunitLint => FILE,
        }
    }
}

/// One variant of the module for one kernel, and where it is built.
pub(crate) struct Build<'a> {
    kernel: &'a Kernel,
    variant: Variant,
    src: &'a Path,
    /// The folder of the build's output.
    pub(crate) dir: PathBuf,
    /// The step, for its log.
    pub(crate) step: Step,
    _lock: Lock,
}

impl<'a> Build<'a> {
    /// Prepares a build.
    pub(crate) fn new(paths: &'a Paths, kernel: &'a Kernel, variant: Variant) -> Result<Self> {
        let state = paths.driver.as_ref();
        let state = state.map_or(String::new(), |state| format!("-{}", state.key));
        let named = |kernel| format!("module-{kernel}{}{state}", variant.suffix());
        let (title, key) = (named(kernel.title()), named(kernel.key()));
        let dir = kernel.home().join(&title);
        let lock = Lock::exclusive(&paths.cache.join("lock").join(&key))?;
        fs::create_dir_all(&dir)?;
        Ok(Self {
            kernel,
            variant,
            src: paths.driver.as_ref().map_or(&paths.src, |state| &state.dir),
            dir,
            step: Step::new(paths, &title.replacen('-', " for ", 1), &key),
            _lock: lock,
        })
    }

    /// The command that builds.
    pub(crate) fn command(&self) -> Command {
        let jobs = available_parallelism().map_or(1, |cpus| cpus.get()) + 1;
        let mut make = Command::new("make");
        make.arg("-C").arg(self.kernel.dir());
        make.arg(format!("M={}", self.variant.sources(self.src).display()));
        make.arg(format!("MO={}", self.dir.display()));
        make.args(["LLVM=1", &format!("-j{jobs}"), "modules"]);
        make.args(self.variant.arguments());
        make
    }
}

/// Builds the module where something changed and puts a copy into the folder
/// `to`: another run may build another one right after.
pub(crate) fn build(
    paths: &Paths,
    kernel: &Kernel,
    variant: Variant,
    to: &Path,
) -> Result<PathBuf> {
    let build = Build::new(paths, kernel, variant)?;
    build.step.run(&mut build.command())?;
    let module = to.join(variant.file());
    fs::copy(build.dir.join(variant.file()), &module).context("cannot copy the module")?;
    Ok(module)
}
