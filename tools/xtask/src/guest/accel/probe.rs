// SPDX-License-Identifier: GPL-2.0

//! Boots a kernel with KVM, to an init that says that it is there, and no further.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Result;

use super::answer::Answer;
use crate::child::{Child, Group};
use crate::guest::initramfs;
use crate::guest::qemu::CPU;
use crate::guest::rundir::RunDir;
use crate::kernel::Kernel;
use crate::paths::{Paths, tail};
use crate::progress::Progress;

/// How long the kernel has. It takes one or two seconds where KVM is what it is meant to be.
const LIMIT: Duration = Duration::from_secs(10);

/// The line that the init writes to the kernel's log.
const MARK: &str = "accel: up";

/// The init.
const INIT: &[u8] = b"\
#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
echo accel: up >/dev/kmsg
/bin/busybox poweroff -f
";

const CONSOLE: &str = "console.log";
const INITRAMFS: &str = "initramfs.cpio";

/// Boots the kernel, and ends the guest after [`LIMIT`] at the latest.
pub(super) fn run(paths: &Paths, kernel: &Kernel) -> Result<Answer> {
    let run = RunDir::new(paths)?;
    let archive = BufWriter::new(File::create(run.path().join(INITRAMFS))?);
    initramfs::write_init(archive, INIT)?;
    let log = paths.log("accel");
    let output = File::create(&log)?;
    let mut qemu = command(&kernel.image());
    qemu.current_dir(run.path())
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output);
    let start = Instant::now();
    let mut guest = Child::spawn(&mut qemu, Group::Own)?;
    let mut progress = Progress::begin("accelerator: a boot with kvm", 0);
    let console = run.path().join(CONSOLE);
    let is_up = || fs::read(&console).is_ok_and(|log| has_mark(&log));
    loop {
        let ended = guest.wait(Some(Instant::now() + Duration::from_millis(20)), || Ok(()))?;
        if is_up() {
            let millis = start.elapsed().as_millis();
            return Ok(Answer::Up { millis });
        }
        if let Some(status) = ended {
            let said = tail(&log, 1);
            let why = format!("QEMU ended, {status}: {said}");
            return Ok(Answer::Down { why });
        }
        if start.elapsed() >= LIMIT {
            let why = format!("it is not up after {} s", LIMIT.as_secs());
            return Ok(Answer::Down { why });
        }
        progress.at(0);
    }
}

fn has_mark(log: &[u8]) -> bool {
    String::from_utf8_lossy(log).contains(MARK)
}

/// The smallest machine that is like that of a guest.
fn command(kernel: &Path) -> Command {
    let mut qemu = Command::new("qemu-system-x86_64");
    qemu.args(["-nodefaults", "-no-user-config", "-no-reboot"]);
    qemu.args(["-display", "none", "-monitor", "none"]);
    qemu.args(["-machine", "q35", "-accel", "kvm", "-cpu", CPU]);
    qemu.args(["-smp", "2", "-m", "512M"]);
    qemu.arg("-kernel").arg(kernel);
    qemu.args(["-initrd", INITRAMFS]);
    qemu.args(["-append", "console=ttyS0 rdinit=/init panic=-1"]);
    qemu.args(["-serial", &format!("file:{CONSOLE}")]);
    qemu
}

#[cfg(test)]
mod tests {
    use super::{INIT, MARK, has_mark};

    #[test]
    fn the_init_says_what_is_waited_for() {
        assert!(has_mark(INIT));
        let line = format!("[    1.000000] {MARK}\n");
        assert!(has_mark(line.as_bytes()));
        assert!(!has_mark(b"[    1.000000] Run /init as init process\n"));
    }
}
