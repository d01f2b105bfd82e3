// SPDX-License-Identifier: GPL-2.0

//! The machine of a guest.

use std::time::Duration;

/// A machine, and how its kernel is told to see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Machine {
    /// Names it in messages, logs and reports.
    pub(crate) name: &'static str,
    /// RAM, in MiB.
    pub(crate) memory: u32,
    /// How much of it has addresses of 32 bits, in MiB; as much as can have if it is not said.
    pub(crate) low: Option<u32>,
    /// Words for the kernel's command line.
    pub(crate) append: &'static [&'static str],
    /// Whether a kernel with a leak checker has it on.
    pub(crate) kmemleak: bool,
    /// The GPUs, in the order of their slots.
    pub(crate) gpus: &'static [Gpu],
    /// The bus of the GPUs.
    pub(crate) bus: Bus,
    /// Whether an IOMMU stands between devices and RAM. The kernel uses it if it is told
    /// `intel_iommu=on`.
    pub(crate) iommu: bool,
    /// A disk to swap to, in MiB. It takes host storage as the guest fills it.
    pub(crate) swap: Option<u32>,
    /// Whether the guest commands QEMU itself, by a port of its console device. It can have QEMU do
    /// anything then that its user may do.
    pub(crate) monitor: bool,
    /// Whether it hibernates, which the share does not outlast: what a job says comes by a second
    /// serial port then. A reset ends other machines; this one boots again, from the image on its
    /// disk.
    pub(crate) hibernates: bool,
    /// More devices, as QEMU's `-device` takes them.
    pub(crate) devices: &'static [&'static str],
    /// The clock.
    pub(crate) clock: Clock,
    /// How long a suite may take on it.
    pub(crate) limit: Duration,
}

/// A virtual GPU; sizes as softgpu's options take them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gpu {
    /// Size of VRAM.
    pub(crate) vram: &'static str,
    /// Size of the part that the CPU sees.
    pub(crate) visible: &'static str,
}

/// The PCI topology of GPUs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bus {
    /// A root port each. The kernel does not let them access each other through this host bridge.
    RootPorts,
    /// One switch, through which they access each other.
    Switch,
    /// One switch for all but the last, which has a root port of its own.
    SwitchAndPort,
}

/// A machine's clock, by its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clock {
    /// Time.
    Time,
    /// Instructions, a nanosecond each while the CPU has something to do: what a thread's CPU
    /// clock shows is the same in every run. A CPU that waits for a device sees as much time pass
    /// as the device does, so that nothing times out early.
    Instructions,
}

impl Machine {
    /// Two CPUs, one GPU, and nothing special.
    pub(crate) const DEFAULT: Self = Self {
        name: "default",
        memory: 2048,
        low: None,
        append: &[],
        kmemleak: false,
        gpus: &[Gpu {
            vram: "256M",
            visible: "64M",
        }],
        bus: Bus::RootPorts,
        iommu: false,
        swap: None,
        monitor: false,
        hibernates: false,
        devices: &[],
        clock: Clock::Time,
        limit: Duration::from_secs(3600),
    };

    /// Whether it is [`DEFAULT`](Self::DEFAULT).
    pub(crate) fn is_default(&self) -> bool {
        self.name == Self::DEFAULT.name
    }
}
