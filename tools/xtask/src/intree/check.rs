// SPDX-License-Identifier: GPL-2.0

//! Builds the driver in a kernel's source, as part of the kernel and as a module of it, without
//! building that kernel: what a finished build of it holds is taken over, and only the driver, and
//! what its configuration changes below it, is compiled.
//!
//! Neither the source nor the build is written to. A build's commands name both by their paths, and
//! do all again if those change; so what is written is mounted in their places, where nothing but
//! the one `make` sees it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::available_parallelism;

use anyhow::{Context, Result, ensure};

use super::{DRM, Folders, HEADER, HOOKS, PLACE, UAPI, hooked, put, symbols, write};
use crate::kernel::Kernel;
use crate::lock::Lock;
use crate::paths::Paths;
use crate::step::Step;

/// Options of the guests' kernels that bring what the driver has to ask for itself, and those of
/// its own.
const ALONE: &str = "\
CONFIG_DRM_QXL=n
CONFIG_DRM_TYR=n
CONFIG_DRM_ETNAVIV=n
CONFIG_DRM_XE=n
CONFIG_DRM_SCHED_KUNIT_TEST=n
CONFIG_DRM_TTM_KUNIT_TEST=n
CONFIG_GPU_BUDDY_KUNIT_TEST=n
CONFIG_DRM_RUST_GPU_TTM=y
CONFIG_DRM_RUST_GPU_TTM_KUNIT_TEST=y
";

/// The options that it selects, which have no prompt.
const SELECTED: [&str; 8] = [
    "CONFIG_DRM_EXEC=y",
    "CONFIG_DRM_GPUSVM=y",
    "CONFIG_RUST_DRM_GPUVM=y",
    "CONFIG_DRM_SCHED=y",
    "CONFIG_DRM_TTM=y",
    "CONFIG_DRM_TTM_HELPER=y",
    "CONFIG_GPU_BUDDY=y",
    "CONFIG_DEV_COREDUMP=y",
];

/// Mounts the folders of DRM's drivers and of its headers, and a build folder, in the places of
/// those of a kernel, and runs the rest.
const ENTER: &str = r#"
mount --bind "$1" "$4/drivers/gpu/drm"
mount --bind "$2" "$4/include/uapi/drm"
mount --bind "$3" "$5"
shift 5
exec "$@"
"#;

/// How the driver is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum As {
    /// Into the kernel, in a configuration where nothing else asks for what it needs.
    BuiltIn,
    /// As a module, in the configuration of the guests' kernels.
    Module,
}

impl As {
    /// The value of its option.
    pub(crate) fn value(self) -> &'static str {
        match self {
            Self::BuiltIn => "y",
            Self::Module => "m",
        }
    }

    /// The options that differ from the kernel's, a line each.
    fn options(self) -> &'static str {
        match self {
            Self::BuiltIn => ALONE,
            Self::Module => "CONFIG_DRM_RUST_GPU_TTM=m\n",
        }
    }

    /// The options that the configuration then has.
    fn expected(self) -> Vec<&'static str> {
        let set = self.options().lines().filter(|line| !line.ends_with("=n"));
        match self {
            Self::BuiltIn => set.chain(SELECTED).collect(),
            Self::Module => set.collect(),
        }
    }
}

/// The result of a build.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Built {
    /// All is well.
    Clean,
    /// It is built, and compilers warned.
    Warned {
        /// The output.
        log: String,
    },
    /// It is not built, or not fit for the kernel.
    Broken {
        /// Why not.
        why: String,
    },
}

impl Built {
    /// Clean, unless `why` says why not.
    fn unless(why: Option<String>) -> Self {
        why.map_or(Self::Clean, |why| Self::Broken { why })
    }
}

/// The driver in the source of one kernel.
pub(crate) struct Check<'a> {
    paths: &'a Paths,
    kernel: &'a Kernel,
    source: PathBuf,
    /// Where what is written is kept.
    home: PathBuf,
    folders: Folders,
    _lock: Lock,
}

impl<'a> Check<'a> {
    /// Puts the driver into copies of the folders of the kernel's source that it goes to.
    pub(crate) fn new(paths: &'a Paths, kernel: &'a Kernel) -> Result<Self> {
        let source = kernel.source()?;
        ensure!(
            source != fs::canonicalize(kernel.dir())?,
            "{} was built in place",
            source.display()
        );
        let name = format!("intree-{}", kernel.title());
        let lock = Lock::exclusive(&paths.cache.join(format!("lock/intree-{}", kernel.key())))?;
        let home = kernel.home().join(name);
        let folders = Folders {
            drm: home.join("drm"),
            uapi: home.join("uapi"),
        };
        // Files that differ from the source keep their times as long as they stay as they are.
        let ours = HOOKS.iter().map(|(file, ..)| *file).chain([PLACE]);
        let ours: Vec<_> = ours.map(|name| format!("/{name}")).collect();
        copy(paths, &source.join(DRM), &folders.drm, &ours, Files::Shared)?;
        for (file, neighbour, line) in HOOKS {
            let text = fs::read_to_string(source.join(DRM).join(file))?;
            write(&folders.drm.join(file), &hooked(&text, neighbour, line))?;
        }
        let ours = [format!("/{HEADER}")];
        copy(
            paths,
            &source.join(UAPI),
            &folders.uapi,
            &ours,
            Files::Shared,
        )?;
        put(paths, &folders)?;
        Ok(Self {
            paths,
            kernel,
            source,
            home,
            folders,
            _lock: lock,
        })
    }

    /// Builds the driver.
    pub(crate) fn build(&self, way: As) -> Result<Built> {
        let dir = self.home.join(way.value());
        self.take_over(&dir)?;
        if let Some(why) = self.configure(way, &dir)? {
            return Ok(Built::Broken { why });
        }
        let objects = format!("{DRM}/{PLACE}/");
        let step = self.step("build", way);
        let good = step.status(self.make(&dir).arg(&objects))?;
        let log = fs::read_to_string(step.log())?;
        if !good {
            return Ok(Built::Broken { why: log });
        }
        let wrong = match way {
            As::BuiltIn => self.resolve(&dir)?,
            As::Module => self.modpost(&dir)?,
        };
        if wrong.is_none() && log.lines().any(|line| line.contains("warning:")) {
            // Another build would not compile, and so not warn about, what is built.
            fs::remove_dir_all(dir.join(&objects)).context("cannot remove what was built")?;
            return Ok(Built::Warned { log });
        }
        Ok(Built::unless(wrong))
    }

    /// Makes `dir` a copy of what the kernel's build holds, unless it is one of the same build.
    fn take_over(&self, dir: &Path) -> Result<()> {
        let image = fs::metadata(self.kernel.image())?;
        let mut state = format!("{} {}", image.mtime(), image.mtime_nsec());
        state += &format!(" {}\n", image.len());
        let stamp = dir.with_extension("stamp");
        if fs::read_to_string(&stamp).is_ok_and(|stamp| stamp == state) {
            return Ok(());
        }
        let _ = fs::remove_file(&stamp);
        let heavy = ["/vmlinux*", "/.tmp_vmlinux*", "/arch/x86/boot", "*.ko"];
        let heavy = heavy.map(str::to_owned);
        copy(self.paths, self.kernel.dir(), dir, &heavy, Files::Own)?;
        fs::write(stamp, state)?;
        Ok(())
    }

    fn configure(&self, way: As, dir: &Path) -> Result<Option<String>> {
        let mut options = fs::read_to_string(self.kernel.dir().join("fragment"))
            .with_context(|| format!("{} is not ours", self.kernel.dir().display()))?;
        options += way.options();
        let file = self.home.join(format!("{}.config", way.value()));
        fs::write(&file, &options)?;
        let step = self.step("configure", way);
        let mut make = self.make(dir);
        make.arg("allnoconfig").env("KCONFIG_ALLCONFIG", &file);
        if !step.status(&mut make)? {
            return Ok(Some(fs::read_to_string(step.log())?));
        }
        let config = fs::read_to_string(dir.join(".config"))?;
        let mut missing = way.expected();
        missing.retain(|option| !config.lines().any(|line| line == *option));
        Ok((!missing.is_empty()).then(|| {
            format!(
                "the configuration does not have {}, which the driver sets or selects",
                missing.join(", ")
            )
        }))
    }

    /// Looks whether a kernel has all that the driver takes from it, as its linker would.
    fn resolve(&self, dir: &Path) -> Result<Option<String>> {
        let object = dir.join(DRM).join(PLACE).join("built-in.a");
        let mut rust = vec![];
        for entry in fs::read_dir(dir.join("rust"))? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "o") {
                rust.push(path);
            }
        }
        let missing = symbols::missing(&object, self.kernel.dir(), rust)?;
        Ok((!missing.is_empty())
            .then(|| format!("the kernel does not have {}", missing.join(", "))))
    }

    /// Has modpost look at the module, which knows the symbols of the kernel and of its modules.
    fn modpost(&self, dir: &Path) -> Result<Option<String>> {
        let order = dir.join("rust_gpu_ttm.order");
        fs::write(&order, format!("{DRM}/{PLACE}/rust_gpu_ttm.o\n"))?;
        let step = self.step("modpost", As::Module);
        let mut modpost = Command::new("scripts/mod/modpost");
        modpost.args(["-M", "-E", "-i"]);
        modpost.arg(self.kernel.dir().join("Module.symvers"));
        modpost.arg("-T").arg(&order);
        modpost.args(["-o", "rust_gpu_ttm.symvers"]);
        Ok(match step.status(modpost.current_dir(dir))? {
            true => None,
            false => Some(fs::read_to_string(step.log())?),
        })
    }

    fn step(&self, name: &str, way: As) -> Step {
        let way = way.value();
        let log = format!("intree-{}-{way}-{name}", self.kernel.key());
        Step::new(
            self.paths,
            &format!("driver in tree, as {way}: {name}"),
            &log,
        )
    }

    /// The kernel's `make`, which sees the driver in the source and `dir` as the build.
    fn make(&self, dir: &Path) -> Command {
        let jobs = available_parallelism().map_or(1, |cpus| cpus.get()) + 1;
        let mut make = Command::new("unshare");
        make.args(["--mount", "--propagation", "unchanged"]);
        make.args(["sh", "-euc", ENTER, "enter"]);
        make.args([&self.folders.drm, &self.folders.uapi]).arg(dir);
        make.arg(&self.source).arg(self.kernel.dir());
        make.arg("make").arg("-C").arg(&self.source);
        make.arg(format!("O={}", self.kernel.dir().display()));
        make.args(["LLVM=1", "LOCALVERSION=", &format!("-j{jobs}")]);
        make
    }
}

/// Whether the files of a copy may be those of what it is a copy of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Files {
    /// They are read only, so that it costs nothing to have them twice.
    Shared,
    /// A build may write into them.
    Own,
}

/// Makes the folder `to` a copy of `from` with all times, and leaves alone what is like one of
/// `others`.
fn copy(paths: &Paths, from: &Path, to: &Path, others: &[String], files: Files) -> Result<()> {
    fs::create_dir_all(to)?;
    let mut rsync = Command::new("rsync");
    rsync.args(["-a", "--delete"]);
    rsync.args(others.iter().map(|other| format!("--exclude={other}")));
    if files == Files::Shared {
        rsync.arg(format!("--link-dest={}", from.display()));
    }
    rsync.arg(format!("{}/", from.display())).arg(to);
    Step::new(paths, "driver in tree: copy", "intree-copy").run(&mut rsync)
}
