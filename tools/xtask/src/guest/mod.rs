// SPDX-License-Identifier: GPL-2.0

//! A guest with a virtual GPU: what it boots, what it runs, what came of it.

mod accel;
mod boot;
mod gpu;
mod initramfs;
mod limits;
mod machine;
mod modules;
mod others;
mod qemu;
mod rundir;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

pub(crate) use self::accel::{
    Accel, Wanted as WantedAccel, announce as announce_accel, choose as choose_accel,
};
use self::boot::Boot;
pub(crate) use self::limits::Limit;
use self::limits::Watch;
pub(crate) use self::machine::{Bus, Clock, Gpu, Machine};
pub(crate) use self::modules::stage as stage_modules;
pub(crate) use self::others::stage as stage_others;
pub(crate) use self::qemu::{CPU, TIMER, Terminal};
pub(crate) use self::rundir::RunDir;
use crate::child::Child;
use crate::crates::SOFTGPU;
use crate::follow::Follow;
use crate::kernel::{self, Flavour, Kernel};
use crate::klog::{self, Splat};
use crate::paths::{Paths, tail};
use crate::progress::{self, Progress};
use crate::{crates, module};

/// How much of a console is shown when a guest fails.
const SHOWN: usize = 25;

/// Everything that guests boot, ready. Several may run at once, one on each
/// machine.
pub(crate) struct Guest {
    /// The name of its kernel in messages.
    title: &'static str,
    accel: Accel,
    /// Words of the caller's for the kernel's command line.
    append: Vec<String>,
    /// This run's own folder.
    pub(crate) run: RunDir,
    log: PathBuf,
}

/// The work of a guest.
pub(crate) struct Job<'a> {
    /// Names the log, and the boot among those of the run.
    pub(crate) name: &'a str,
    /// Where it runs.
    pub(crate) machine: &'a Machine,
    /// The script of the guest's shell, with the share at /mnt.
    pub(crate) script: &'a str,
    /// How long it may take and say nothing; none if it may take as long as it likes.
    pub(crate) limit: Option<Limit>,
    /// Where the guest's terminal goes.
    pub(crate) terminal: Terminal,
    /// Whether what the driver says in the kernel's log is shown.
    pub(crate) log: bool,
}

/// Where a line of a job's output belongs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// To the part that runs.
    Same,
    /// It begins another part, which has its own time.
    Next,
    /// To the part that runs, which goes on with something of this time limit.
    Limited(Duration),
}

/// Why a guest has no status of its job.
#[derive(Debug)]
pub(crate) enum Death {
    /// It did not end in time.
    Hung(String),
    /// It ended before its job did.
    Ended(String),
}

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Hung(why) | Self::Ended(why)) = self;
        f.write_str(why)
    }
}

impl std::error::Error for Death {}

/// The outcome of a guest.
pub(crate) struct Outcome {
    /// The job's exit status, unless the guest ended before it.
    pub(crate) status: Result<i32, Death>,
    /// The kernel's complaints.
    pub(crate) splats: Vec<Splat>,
    /// The kernel's log.
    pub(crate) console: String,
    /// The file that keeps it until the next run of the same name.
    pub(crate) log: PathBuf,
    /// The folder of the files that the job left, until the machine boots
    /// again.
    pub(crate) out: PathBuf,
}

impl Guest {
    /// Builds what the guest needs: its kernel and the crates at once, then
    /// the module and the initramfs.
    pub(crate) fn prepare(paths: &Paths, flavour: Flavour) -> Result<Self> {
        Self::prepare_with(paths, flavour, |_, _| Ok(()))
    }

    /// As [`prepare`](Self::prepare), with programs that `more` puts into a folder.
    pub(crate) fn prepare_with(
        paths: &Paths,
        flavour: Flavour,
        more: impl FnOnce(&Kernel, &Path) -> Result<()>,
    ) -> Result<Self> {
        let run = RunDir::new(paths)?;
        let kernel = thread::scope(|scope| {
            let crates = scope.spawn(|| crates::build(paths, run.path()));
            let kernel = kernel::ensure(paths, flavour);
            crates
                .join()
                .map_err(|_| anyhow!("building the crates panicked"))??;
            kernel
        })?;
        module::build(paths, &kernel, module::Variant::Driver, run.path())?;
        more(&kernel, &run.path().join("bin"))?;
        initramfs::write(&kernel, &run)?;
        // Another run may build the kernel anew while this one's guests are up.
        fs::copy(kernel.image(), run.path().join(qemu::KERNEL))
            .context("cannot copy the kernel's image")?;
        Ok(Self {
            title: kernel.title(),
            accel: accel::choose(paths, &kernel)?,
            append: paths.options.append.clone(),
            run,
            log: paths.cache.join("log"),
        })
    }

    /// Returns the folder that the guest of a job sees at /mnt.
    pub(crate) fn share(&self, job: &str) -> PathBuf {
        Boot::of(&self.run, job).share()
    }

    /// Boots the guest, hands over each line that the job writes, and waits
    /// for the guest's end.
    pub(crate) fn run(
        &self,
        job: &Job<'_>,
        mut line: impl FnMut(&str) -> Result<()>,
    ) -> Result<Outcome> {
        self.run_in_parts(job, |text| line(text).map(|()| Part::Same))
    }

    /// As [`run`](Self::run), for a job in several parts.
    pub(crate) fn run_in_parts(
        &self,
        job: &Job<'_>,
        mut line: impl FnMut(&str) -> Result<Part>,
    ) -> Result<Outcome> {
        let boot = Boot::new(&self.run, job.name, job.machine, job.script)?;
        let gpus = gpu::Gpus::start(&self.run.path().join(SOFTGPU), job.machine, boot.path())?;
        let software = qemu::Software {
            kernel: &self.run.path().join(qemu::KERNEL),
            initramfs: &self.run.path().join(initramfs::FILE),
            append: &self.append,
            accel: self.accel,
        };
        let mut machine = qemu::start(&software, job.machine, &boot, job.terminal)?;
        let status = self.watch(job, &boot, &mut machine, &mut line);
        drop(machine);
        let status = status?.and_then(|status| match gpus.finish() {
            Ok(()) => Ok(status),
            Err(error) => Err(Death::Ended(format!("{error:#}"))),
        });
        let log = self.log.join(format!("guest-{}.log", job.name));
        fs::copy(boot.console(), &log)?;
        let console = String::from_utf8_lossy(&fs::read(boot.console())?).into_owned();
        Ok(Outcome {
            status,
            splats: klog::scan(&console),
            console,
            log,
            out: boot.out(),
        })
    }

    /// Follows the guest until it has ended. The outer error is ours, the
    /// inner one the guest's.
    fn watch(
        &self,
        job: &Job<'_>,
        boot: &Boot,
        machine: &mut Child,
        line: &mut impl FnMut(&str) -> Result<Part>,
    ) -> Result<Result<i32, Death>> {
        let share = boot.share();
        let name = self.title(job.machine);
        let start = Instant::now();
        let mut progress = Some(Progress::begin(&format!("{name}: boot"), 0));
        let mut console = Follow::new(boot.console());
        let mut stdout = Follow::new(share.join("stdout"));
        let mut watch = Watch::boot(start);
        loop {
            let ended = machine.wait(Some(Instant::now()), || Ok(()))?;
            console.each(|text| {
                watch.console(Instant::now());
                if job.log && klog::of_driver(text) {
                    progress::say(&format!("  {text}"));
                }
                Ok(())
            })?;
            let mut take = |text: &str| {
                let part = line(text)?;
                watch.output(Instant::now());
                match part {
                    Part::Same => {}
                    Part::Next => watch.part(Instant::now()),
                    Part::Limited(limit) => watch.announced(limit),
                }
                Ok(())
            };
            stdout.each(&mut take)?;
            if let Some(status) = ended {
                stdout.rest(&mut take)?;
                let left = fs::read_to_string(share.join("status")).unwrap_or_default();
                return Ok(left.trim().parse().map_err(|_| {
                    Death::Ended(format!(
                        "the guest ended before its job did ({status}); its last words:\n{}",
                        tail(&boot.console(), SHOWN)
                    ))
                }));
            }
            if progress.is_some() && share.join("up").exists() {
                progress = None;
                if job.terminal == Terminal::None {
                    progress::say(&format!(
                        "  {name}: up after {:.1} s",
                        start.elapsed().as_secs_f32()
                    ));
                }
                match job.limit {
                    Some(limit) => watch.job(Instant::now(), limit),
                    None => return wait(machine, boot).map(Ok),
                }
            }
            if let Some(progress) = &mut progress {
                progress.at(0);
            }
            if let Some(why) = watch.exceeded(Instant::now()) {
                return Ok(Err(Death::Hung(format!(
                    "the guest was ended after {} s, as {why}; its last words:\n{}",
                    start.elapsed().as_secs(),
                    tail(&boot.console(), SHOWN)
                ))));
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Returns the guest's name in messages.
    fn title(&self, machine: &Machine) -> String {
        match machine.is_default() {
            true => format!("{} guest", self.title),
            false => format!("{} guest {}", self.title, machine.name),
        }
    }
}

/// Waits for a guest without a limit, which has a user at its terminal.
fn wait(machine: &mut Child, boot: &Boot) -> Result<i32> {
    match machine.wait(None, || Ok(()))? {
        Some(status) if status.success() => Ok(0),
        _ => bail!("the guest ended badly:\n{}", tail(&boot.console(), SHOWN)),
    }
}
