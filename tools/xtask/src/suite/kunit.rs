// SPDX-License-Identifier: GPL-2.0

//! The module's KUnit suites, under virtme-ng: on the debug kernel, unless the caller chose the other.

mod names;

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use crate::child::{Child, Group};
use crate::follow::Follow;
use crate::guest::{self, Accel, RunDir};
use crate::kernel::{self, Flavour, Kernel};
use crate::klog;
use crate::ktap::{self, Parser};
use crate::module::{self, Variant};
use crate::paths::{Paths, tail};
use crate::progress::Progress;
use crate::report::Report;

/// The suite's name.
pub(crate) const NAME: &str = "kunit";

/// How long the guest may take, its boot included: several times what it does
/// on a machine that has nothing else to do.
const LIMIT: Duration = Duration::from_secs(2400);
/// How much of a console is shown when the guest fails.
const SHOWN: usize = 25;

/// In the kernel's log, where the module is loaded: built-in suites have run
/// before.
const MARK: &str = "@kunit";

/// The guest's script, with the run's share at /mnt. It powers off by itself:
/// virtme-ng's init finds no program for that here.
const JOB: &str = "\
echo @kunit >/dev/kmsg
modprobe -d /mnt rust_gpu_ttm >/mnt/modprobe 2>&1
echo $? >/mnt/status
sync
exec busybox poweroff -f
";

/// Starts virtme-ng where its init finds what it needs and no more, and where
/// nothing that it starts outlives it.
const START: &str = r#"
mount --bind "$1" /usr/bin/systemd-tmpfiles
mount --bind /dev/null /usr/lib/systemd/systemd-udevd
shift
exec vng "$@"
"#;

/// The tests to run: all, or those of a glob over `SUITE.TEST`.
#[derive(Clone, Default)]
pub(crate) struct Filter(Option<String>);

impl Filter {
    /// All tests of this name, or the one of `SUITE.TEST`, or all of a suite, as the sources have
    /// them.
    pub(crate) fn of(paths: &Paths, test: Option<&str>) -> Result<Self> {
        test.map(|test| names::glob(&names::all(&paths.src)?, test))
            .transpose()
            .map(Self)
    }
}

/// Runs the suites and hands over each line of the kernel's log that comes of
/// them.
pub(crate) fn run(
    paths: &Paths,
    report: &Report,
    filter: &Filter,
    mut line: impl FnMut(&str),
) -> Result<()> {
    let start = Instant::now();
    let result = boot(paths, report, filter, &mut line);
    report.suite_took(NAME, start.elapsed());
    result
}

fn boot(
    paths: &Paths,
    report: &Report,
    filter: &Filter,
    line: &mut impl FnMut(&str),
) -> Result<()> {
    let run = RunDir::new(paths)?;
    let kernel = kernel::ensure(paths, paths.options.flavour(Flavour::Debug))?;
    let module = module::build(paths, &kernel, Variant::Kunit, run.path())?;
    let share = run.path().join("share");
    fs::create_dir_all(&share)?;
    guest::stage_modules(&kernel, &module, &share)?;
    fs::write(share.join("job"), JOB)?;

    let console = run.path().join("console.log");
    let accel = guest::choose_accel(paths, &kernel)?;
    let child = start(paths, &kernel, accel, &share, &console, filter)?;
    let ended = watch(child, &console, report, line)?;

    let log = paths.log("guest-kunit");
    fs::copy(&console, &log)?;
    let console = fs::read(&console)?;
    let console = String::from_utf8_lossy(&console);
    report.kernel_log(NAME, klog::scan(&console).iter());
    if let Some(panic) = klog::panic(&console) {
        bail!("the guest panicked: \"{panic}\"");
    }
    ensure!(
        ended,
        "the guest was ended after {} s; its last words:\n{}",
        LIMIT.as_secs(),
        tail(&log, SHOWN)
    );
    let status = fs::read_to_string(share.join("status")).unwrap_or_default();
    ensure!(
        !status.is_empty(),
        "the guest ended early; the last lines of {}:\n{}",
        log.display(),
        tail(&log, SHOWN)
    );
    ensure!(
        status.trim() == "0",
        "the module does not load: {}",
        tail(&share.join("modprobe"), SHOWN)
    );
    Ok(())
}

/// Runs the guest and reports its results as they come. Tells whether it ended
/// by itself.
fn watch(
    mut child: Child,
    console: &Path,
    report: &Report,
    line: &mut impl FnMut(&str),
) -> Result<bool> {
    let mut progress = Progress::begin("kunit guest", 0);
    let mut follow = Follow::new(console.to_owned());
    let mut marked = false;
    let mut parser = Parser::default();
    let mut lap = Instant::now();
    let mut tell = |results: Vec<ktap::Result>| {
        for result in results {
            report.test(NAME, result, Some(lap.elapsed()));
            lap = Instant::now();
        }
    };
    let mut take = |text: &str| {
        let message = klog::message(text);
        if marked {
            line(message);
            tell(parser.line(message));
        }
        marked |= message == MARK;
        Ok(())
    };
    let deadline = Some(Instant::now() + LIMIT);
    let status = child.wait(deadline, || {
        progress.at(0);
        follow.each(&mut take)
    })?;
    follow.rest(&mut take)?;
    tell(parser.finish());
    progress.done();
    Ok(status.is_some())
}

fn start(
    paths: &Paths,
    kernel: &Kernel,
    accel: Accel,
    share: &Path,
    console: &Path,
    filter: &Filter,
) -> Result<Child> {
    let log = File::create(console)?;
    let mut vng = Command::new("unshare");
    vng.args(["--mount", "--propagation", "unchanged"]);
    vng.args(["--pid", "--fork", "--kill-child", "--"]);
    vng.args(["sh", "-euc", START, "start"]);
    vng.arg(paths.src.join("tools/guest/virtme-ports"));
    vng.arg("--verbose").arg("--run").arg(kernel.image());
    if accel == Accel::Tcg {
        vng.arg("--disable-kvm");
    }
    vng.args(["--cpus", "2", "--memory", "1G", "--user", "root"]);
    // Not virtiofs: its daemon writes file contents into the guest's memory
    // past QEMU, whose emulated CPUs then go on with the code that they have
    // translated from what was there before. 9p goes through QEMU. Nothing
    // changes under the guest, so it may keep what it has read.
    vng.arg("--force-9p");
    let options = "version=9p2000.L,trans=virtio,access=any,cache=loose,msize=262144";
    vng.arg("--append").arg(format!("rootflags={options}"));
    vng.args(["--append", "kunit.enable=1", "--append", "kunit.autorun=1"]);
    vng.args(["--append", "oops=panic", "--append", guest::TIMER]);
    // Nothing here asks it what leaks.
    vng.args(["--append", "kmemleak=off"]);
    if let Filter(Some(glob)) = filter {
        vng.arg("--append").arg(format!("kunit.filter_glob={glob}"));
    }
    for word in &paths.options.append {
        vng.args(["--append", word]);
    }
    // Its ACPI code is much of a slow boot.
    vng.arg(format!(
        "--qemu-opts=-cpu {} -global ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off",
        guest::CPU
    ));
    vng.arg(format!("--rwdir=/mnt={}", share.display()));
    vng.args(["--exec", "sh /mnt/job"]);
    vng.current_dir("/");
    vng.stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    Child::spawn(&mut vng, Group::Own)
}
