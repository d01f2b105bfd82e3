// SPDX-License-Identifier: GPL-2.0

//! The virtual machine of a guest.

use std::fs::File;
use std::process::{Command, Stdio};

use anyhow::Result;

use super::gpu::SOCKET;
use super::initramfs;
use super::rundir::RunDir;
use crate::child::{Child, Group};
use crate::kernel::Kernel;

/// Where the guest's terminal, hvc0, goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Terminal {
    /// There is none.
    None,
    /// To our own terminal.
    Ours,
}

/// All that QEMU emulates but page tables of five levels: while the kernel
/// identifies the CPU, an interrupt finds the feature's bit clear and KASAN takes
/// a good address for a wild one.
pub(crate) const CPU: &str = "max,la57=off";

/// The kernel's log goes to the serial port whole. A guest that oopses ends:
/// nothing after it can be trusted.
const APPEND: &str = "console=ttyS0 rdinit=/init panic=-1 oops=panic";

/// Starts the machine, with the device process listening.
pub(super) fn start(kernel: &Kernel, run: &RunDir, terminal: Terminal) -> Result<Child> {
    let memory = "2G";
    let mut qemu = Command::new("qemu-system-x86_64");
    qemu.current_dir(run.path());
    qemu.args(["-nodefaults", "-no-user-config", "-no-reboot"]);
    qemu.args(["-display", "none", "-monitor", "none"]);
    qemu.args(["-machine", "q35,memory-backend=memory"]);
    qemu.args(["-accel", "tcg,thread=multi", "-cpu", CPU, "-smp", "2"]);
    // The device process maps the guest's memory.
    qemu.args(["-m", memory, "-object"]);
    qemu.arg(format!(
        "memory-backend-memfd,id=memory,size={memory},share=on"
    ));
    qemu.arg("-kernel").arg(kernel.image());
    qemu.args(["-initrd", initramfs::FILE, "-append", APPEND]);
    qemu.args(["-serial", "file:console.log"]);
    qemu.args(["-fsdev", "local,id=share,path=share,security_model=none"]);
    qemu.args(["-device", "virtio-9p-pci,fsdev=share,mount_tag=share"]);
    // The GPU sits where it can be unplugged, by the port's own hotplug.
    qemu.args([
        "-global",
        "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off",
    ]);
    qemu.args(["-device", "pcie-root-port,id=port0,chassis=1,slot=1"]);
    qemu.arg("-device").arg(format!(
        r#"{{"driver":"vfio-user-pci","id":"gpu0","bus":"port0","socket":{{"type":"unix","path":"{SOCKET}"}}}}"#
    ));
    match terminal {
        Terminal::None => {
            let log = File::create(run.path().join("qemu.log"))?;
            qemu.stdin(Stdio::null())
                .stdout(log.try_clone()?)
                .stderr(log);
            Child::spawn(&mut qemu, Group::Own)
        }
        Terminal::Ours => {
            // Ctrl-C belongs to the guest; Ctrl-A X ends it.
            qemu.args(["-chardev", "stdio,id=terminal,mux=on,signal=off"]);
            qemu.args(["-device", "virtio-serial-pci"]);
            qemu.args(["-device", "virtconsole,chardev=terminal"]);
            Child::spawn(&mut qemu, Group::Ours)
        }
    }
}
