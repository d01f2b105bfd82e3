// SPDX-License-Identifier: GPL-2.0

//! The kernel's own tests of what the driver builds on, on the debug kernel: KUnit modules, and
//! selftests out of the kernel's source.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::guest::{Clock, Guest, Job, Machine, Terminal};
use crate::kernel::{Flavour, Kernel};
use crate::klog;
use crate::ktap::Parser;
use crate::paths::Paths;
use crate::report::Report;
use crate::step::Step;

/// The suite's name.
pub(crate) const NAME: &str = "kernel-tests";

/// Modules that run tests when they are loaded: dma-fence, dma-resv and their kin, the GPU
/// scheduler, the buddy allocator, TTM.
const MODULES: &[&str] = &[
    "dmabuf_kunit",
    "drm-sched-tests",
    "gpu_buddy_tests",
    "ttm_device_test",
    "ttm_pool_test",
    "ttm_resource_test",
    "ttm_tt_test",
    "ttm_bo_test",
    "ttm_bo_validate_test",
];

/// Programs, and their folders below the kernel's selftests.
const PROGRAMS: &[(&str, &str)] = &[
    ("sync_test", "sync"),
    ("dmabuf-heap", "dmabuf-heaps"),
    ("udmabuf", "drivers/dma-buf"),
];

/// Several tests look at the time, and want a tenth of a second to be neither much more nor much
/// less. So its clock counts instructions: that of a host that is busy makes them fail.
const MACHINE: Machine = Machine {
    name: "kernel-tests",
    append: &["kunit.enable=1", "kunit.autorun=1"],
    clock: Clock::Instructions,
    limit: Duration::from_secs(3600),
    ..Machine::DEFAULT
};

/// In the kernel's log or in what the guest says: what follows is of this module or program.
const MARK: &str = "@kernel-tests ";

/// Runs the tests.
pub(crate) fn run(paths: &Paths, report: &mut Report) -> Result<()> {
    let guest = Guest::prepare_with(paths, Flavour::Debug, |kernel, bin| {
        build(paths, kernel, bin)
    })?;
    let mut said = Vec::new();
    let outcome = guest.run(
        &Job {
            name: NAME,
            machine: &MACHINE,
            script: &script(),
            limit: Some(MACHINE.limit),
            terminal: Terminal::None,
            log: false,
        },
        |line| {
            said.push(line.to_owned());
            Ok(())
        },
    )?;
    report.kernel_log(NAME, outcome.splats.iter());
    let log = outcome.console.lines().map(klog::message);
    let modules = MODULES.iter().copied();
    results(report, modules, log);
    let programs = PROGRAMS.iter().map(|&(program, _)| program);
    results(report, programs, said.iter().map(String::as_str));
    outcome.status.map(drop)
}

/// Builds the programs, without the need of a C library in the guest.
fn build(paths: &Paths, kernel: &Kernel, bin: &Path) -> Result<()> {
    let selftests = kernel.source()?.join("tools/testing/selftests");
    for (program, folder) in PROGRAMS {
        let out = tempfile::tempdir()?;
        let mut make = Command::new("make");
        make.arg("-C").arg(selftests.join(folder));
        make.arg(format!("OUTPUT={}", out.path().display()));
        make.args(["CC=clang", "LDFLAGS=-static", "KHDR_INCLUDES="]);
        Step::new(paths, program, "kernel-tests").run(&mut make)?;
        fs::copy(out.path().join(program), bin.join(program))?;
    }
    Ok(())
}

/// What the guest runs. TTM's tests look into pools that all TTM drivers share, so ours goes first;
/// one of the heaps' tests wants the device of a driver without hardware.
fn script() -> String {
    let mut script = "modprobe -r rust_gpu_ttm\n".to_owned();
    for module in MODULES {
        script += &format!("echo '{MARK}{module}' >/dev/kmsg\nmodprobe {module}\n");
    }
    script += "modprobe vgem\n";
    for (program, _) in PROGRAMS {
        script += &format!("echo '{MARK}{program}'\n{program} 2>&1\n");
    }
    script
}

/// Reports what the lines say of each that is marked in them.
fn results<'a>(
    report: &mut Report,
    names: impl Iterator<Item = &'static str>,
    lines: impl Iterator<Item = &'a str> + Clone,
) {
    for name in names {
        let marked = |line: &&str| line.strip_prefix(MARK) == Some(name);
        let own = lines
            .clone()
            .skip_while(|line| !marked(line))
            .skip(1)
            .take_while(|line| !line.starts_with(MARK));
        let mut parser = Parser::default();
        let mut found: Vec<_> = own.flat_map(|line| parser.line(line)).collect();
        found.extend(parser.finish());
        for result in &mut found {
            // The selftests' own mark.
            let test = result.name.trim_start_matches("[RUN]").trim();
            result.name = format!("{name}.{test}");
        }
        super::report(report, NAME, found);
    }
}
