// SPDX-License-Identifier: GPL-2.0

//! The virtual machine of a guest.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Result;

use super::accel::Accel;
use super::boot::{Boot, SWAP};
use super::gpu::{CONTROL, socket};
use super::machine::{Bus, Clock, Machine};
use crate::child::{Child, Group};

/// The kernel's image, in the folder of the run.
pub(super) const KERNEL: &str = "bzImage";

/// The socket of QEMU's monitor, in the folder of the boot.
const MONITOR: &str = "monitor.sock";

/// The software that a machine boots.
pub(super) struct Software<'a> {
    pub(super) kernel: &'a Path,
    pub(super) initramfs: &'a Path,
    /// Words for the kernel's command line, after those of the machine.
    pub(super) append: &'a [String],
    /// The accelerator, unless the machine asks for what only emulation has.
    pub(super) accel: Accel,
}

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

/// Keeps the kernel from judging its clocks by each other, which an emulated machine that does not
/// get its time fails: a timer that ticks late is a panic at boot, and the watchdog takes the TSC,
/// of which all CPUs read the host's, for a bad one.
pub(crate) const TIMER: &str = "no_timer_check tsc=reliable";

/// The kernel's log goes to the serial port whole. A guest that oopses ends:
/// nothing after it can be trusted.
const APPEND: &str = "console=ttyS0 rdinit=/init panic=-1 oops=panic";

/// Starts the machine, with the device processes listening.
pub(super) fn start(
    software: &Software<'_>,
    machine: &Machine,
    boot: &Boot,
    terminal: Terminal,
) -> Result<Child> {
    let mut qemu = Command::new("qemu-system-x86_64");
    qemu.current_dir(boot.path());
    qemu.args(["-nodefaults", "-no-user-config"]);
    if !machine.hibernates {
        qemu.arg("-no-reboot");
    }
    qemu.args(["-display", "none", "-monitor", "none"]);
    qemu.args(["-machine", &board(machine)]);
    cpus(&mut qemu, machine.clock, software.accel);
    if machine.iommu {
        // Before the devices that it stands before. It tells them of every page that the kernel
        // maps, and leaves interrupts alone.
        qemu.args(["-device", "intel-iommu,caching-mode=on,intremap=off"]);
    }
    // The device processes map the guest's memory.
    qemu.args(["-m", &format!("{}M", machine.memory), "-object"]);
    qemu.arg(format!(
        "memory-backend-memfd,id=memory,size={}M,share=on",
        machine.memory
    ));
    qemu.arg("-kernel").arg(software.kernel);
    qemu.arg("-initrd").arg(software.initramfs);
    qemu.args(["-append", &append(machine, software.append)]);
    qemu.args(["-serial", "file:console.log"]);
    if machine.hibernates {
        qemu.args(["-serial", "file:share/stdout"]);
    }
    channels(&mut qemu);
    if machine.monitor {
        monitor(&mut qemu);
    }
    if machine.swap.is_some() {
        // Nothing of it has to be there after the guest.
        qemu.args([
            "-drive",
            &format!("file={SWAP},if=none,id=swap,format=raw,cache=unsafe"),
        ]);
        qemu.args(["-device", "virtio-blk-pci,drive=swap"]);
    }
    gpus(&mut qemu, machine);
    for device in machine.devices {
        qemu.args(["-device", device]);
    }
    match terminal {
        Terminal::None => {
            let log = File::create(boot.path().join("qemu.log"))?;
            qemu.stdin(Stdio::null())
                .stdout(log.try_clone()?)
                .stderr(log);
            Child::spawn(&mut qemu, Group::Own)
        }
        Terminal::Ours => {
            // Ctrl-C belongs to the guest; Ctrl-A X ends it.
            qemu.args(["-chardev", "stdio,id=terminal,mux=on,signal=off"]);
            qemu.args(["-device", "virtconsole,chardev=terminal"]);
            Child::spawn(&mut qemu, Group::Ours)
        }
    }
}

fn cpus(qemu: &mut Command, clock: Clock, accel: Accel) {
    qemu.args(["-cpu", CPU]);
    match (clock, accel) {
        (Clock::Time, Accel::Tcg) => qemu.args(["-accel", "tcg,thread=multi", "-smp", "2"]),
        (Clock::Time, Accel::Kvm) => qemu.args(["-accel", "kvm", "-smp", "2"]),
        // Instructions can only be counted by one thread, and of emulation.
        (Clock::Instructions, _) => qemu.args([
            "-accel",
            "tcg,thread=single",
            "-icount",
            "shift=0,sleep=on",
            "-smp",
            "1",
        ]),
    };
}

/// The devices by which a guest talks to us are there after the system has slept, if they keep their
/// state, which only those below a port can be told.
fn channels(qemu: &mut Command) {
    const BELOW: &str = "bus=channels,multifunction=on,x-pcie-pm-no-soft-reset=on";
    qemu.args(["-device", "pcie-root-port,id=channels,chassis=100,slot=100"]);
    qemu.args(["-fsdev", "local,id=share,path=share,security_model=none"]);
    qemu.arg("-device").arg(format!(
        "virtio-9p-pci,fsdev=share,mount_tag=share,addr=0.0,{BELOW}"
    ));
    // A guest tells the device process by a port of this name what trouble to make.
    qemu.arg("-device")
        .arg(format!("virtio-serial-pci,id=serial,addr=0.1,{BELOW}"));
    qemu.args(["-chardev", &format!("socket,id=control,path={CONTROL}")]);
    qemu.args([
        "-device",
        "virtserialport,bus=serial.0,chardev=control,name=softgpu",
    ]);
}

/// Connects QEMU's monitor, which is the server, with a port of the guest's.
fn monitor(qemu: &mut Command) {
    qemu.arg("-chardev").arg(format!(
        "socket,id=monitor,path={MONITOR},server=on,wait=off"
    ));
    qemu.args(["-mon", "chardev=monitor,mode=control"]);
    qemu.args(["-chardev", &format!("socket,id=qemu,path={MONITOR}")]);
    qemu.args([
        "-device",
        "virtserialport,bus=serial.0,chardev=qemu,name=qemu",
    ]);
}

/// Each GPU sits where it can be unplugged, by the port's own hotplug.
fn gpus(qemu: &mut Command, machine: &Machine) {
    qemu.args([
        "-global",
        "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off",
    ]);
    let below_switch = match machine.bus {
        Bus::RootPorts => 0,
        Bus::Switch => machine.gpus.len(),
        Bus::SwitchAndPort => machine.gpus.len() - 1,
    };
    if below_switch != 0 {
        qemu.args(["-device", "pcie-root-port,id=root"]);
        qemu.args(["-device", "x3130-upstream,id=switch,bus=root"]);
    }
    for index in 0..machine.gpus.len() {
        let slot = index + 1;
        let (port, parent) = match index < below_switch {
            true => ("xio3130-downstream", ",bus=switch"),
            false => ("pcie-root-port", ""),
        };
        qemu.args([
            "-device",
            &format!("{port},id=port{index},chassis={slot},slot={slot}{parent}"),
        ]);
        let socket = socket(index);
        qemu.arg("-device").arg(format!(
            r#"{{"driver":"vfio-user-pci","id":"gpu{index}","bus":"port{index}","socket":{{"type":"unix","path":"{socket}"}}}}"#
        ));
    }
}

/// The machine's type, with where its RAM is.
fn board(machine: &Machine) -> String {
    let low = machine.low.map(|low| format!(",max-ram-below-4g={low}M"));
    format!("q35,memory-backend=memory{}", low.unwrap_or_default())
}

/// The kernel's command line, the caller's words last, so that they prevail.
fn append(machine: &Machine, more: &[String]) -> String {
    let kmemleak = (!machine.kmemleak).then_some("kmemleak=off");
    // Where the guest's init has the output go, and where a kernel looks for an image.
    let output = machine
        .hibernates
        .then_some("output=/dev/ttyS1 resume=/dev/vda");
    let words = [TIMER].into_iter().chain(machine.append.iter().copied());
    let words = words
        .chain(kmemleak)
        .chain(output)
        .chain(more.iter().map(String::as_str));
    words.fold(APPEND.to_owned(), |line, word| line + " " + word)
}

#[cfg(test)]
mod tests {
    use super::{APPEND, TIMER, append, board};
    use crate::guest::Machine;

    #[test]
    fn the_command_line_has_the_machines_words_and_the_callers() {
        let machine = Machine {
            append: &["swiotlb=force", "quiet"],
            ..Machine::DEFAULT
        };
        let line = format!("{APPEND} {TIMER} swiotlb=force quiet kmemleak=off loglevel=8");
        assert_eq!(append(&machine, &["loglevel=8".to_owned()]), line);
        let machine = Machine {
            kmemleak: true,
            ..Machine::DEFAULT
        };
        assert_eq!(append(&machine, &[]), format!("{APPEND} {TIMER}"));
    }

    #[test]
    fn ram_is_below_4_gib_unless_it_is_told_not_to_be() {
        assert_eq!(board(&Machine::DEFAULT), "q35,memory-backend=memory");
        let machine = Machine {
            low: Some(1024),
            ..Machine::DEFAULT
        };
        assert!(board(&machine).ends_with(",max-ram-below-4g=1024M"));
    }
}
