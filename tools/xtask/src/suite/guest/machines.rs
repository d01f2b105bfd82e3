// SPDX-License-Identifier: GPL-2.0

//! The guests that suites are matched with: their machines, and the tags that they take.

use std::time::Duration;

use suite_spec::{Need, Tag};

use crate::guest::{Bus, Gpu, Machine};

/// A guest for suites of the test program.
pub(super) struct Guest {
    pub(super) machine: Machine,
    /// Suites with one of these tags run in it again.
    pub(super) takes: &'static [Tag],
    /// Further stages.
    pub(super) variants: &'static [Variant],
}

/// A stage of a guest in which the driver has other parameters.
pub(super) struct Variant {
    pub(super) name: &'static str,
    pub(super) parameters: &'static [&'static str],
    /// Suites with one of these tags run in it again.
    pub(super) takes: &'static [Tag],
}

/// VRAM that is soon overcommitted.
const SMALL_VRAM: Gpu = Gpu {
    vram: "64M",
    visible: "16M",
};

/// Two GPUs that can be told apart.
const TWO: &[Gpu] = &[
    Gpu {
        vram: "256M",
        visible: "64M",
    },
    Gpu {
        vram: "128M",
        visible: "32M",
    },
];

/// Those, and a third one.
const THREE: &[Gpu] = &[
    TWO[0],
    TWO[1],
    Gpu {
        vram: "64M",
        visible: "64M",
    },
];

const BOUNCE_BUFFERS: &str = "swiotlb=force";
/// Some of the RAM is persistent memory.
const PERSISTENT: &str = "memmap=16M!512M";
const QXL: &str = "qxl";

/// The guests, in the order in which a suite looks for one that meets its requirements.
pub(super) const GUESTS: &[Guest] = &[
    Guest {
        // Half of its RAM has addresses of more than 32 bits, and a little is persistent memory.
        machine: Machine {
            low: Some(1024),
            append: &[PERSISTENT],
            ..Machine::DEFAULT
        },
        takes: &[],
        variants: &[
            Variant {
                name: "coherent",
                parameters: &["use_dma_alloc=1"],
                takes: &[Tag::Dma],
            },
            // The device does not reach all of the RAM.
            Variant {
                name: "mask32",
                parameters: &["dma_bits=32"],
                takes: &[Tag::Dma],
            },
        ],
    },
    Guest {
        machine: Machine {
            name: "swiotlb",
            append: &[BOUNCE_BUFFERS],
            ..Machine::DEFAULT
        },
        takes: &[Tag::Dma],
        variants: &[],
    },
    Guest {
        // Pages are mapped and unmapped one by one.
        machine: Machine {
            name: "iommu",
            append: &["intel_iommu=on", PERSISTENT],
            iommu: true,
            ..Machine::DEFAULT
        },
        takes: &[Tag::Dma, Tag::Iommu],
        variants: &[],
    },
    Guest {
        machine: Machine {
            name: "lowmem",
            memory: 384,
            // The checkers allocate without waiting. One that cannot switches itself off.
            append: &["sysctl.vm.min_free_kbytes=8192"],
            swap: Some(1024),
            ..Machine::DEFAULT
        },
        takes: &[Tag::LowMemory],
        variants: &[],
    },
    Guest {
        machine: Machine {
            name: "hibernation",
            // The image has to fit into half of it, and the debug kernel alone has more than 250.
            memory: 768,
            swap: Some(1024),
            hibernates: true,
            ..Machine::DEFAULT
        },
        takes: &[],
        variants: &[],
    },
    Guest {
        machine: Machine {
            name: "small-vram",
            gpus: &[SMALL_VRAM],
            ..Machine::DEFAULT
        },
        takes: &[Tag::SmallVram],
        variants: &[],
    },
    Guest {
        machine: Machine {
            name: "two-gpus",
            gpus: TWO,
            monitor: true,
            ..Machine::DEFAULT
        },
        takes: &[],
        variants: &[],
    },
    Guest {
        machine: Machine {
            name: "peers",
            gpus: THREE,
            bus: Bus::SwitchAndPort,
            devices: &[QXL],
            ..Machine::DEFAULT
        },
        takes: &[],
        variants: &[],
    },
];

/// The machines of long forms, in the order in which a suite looks for one that meets its requirements.
/// One that none meets runs in the first. One test may take four hours.
pub(super) const STRESS: [Machine; 2] = {
    let default = Machine {
        limit: Duration::from_secs(12 * 3600),
        ..Machine::DEFAULT
    };
    let iommu = Machine {
        name: "iommu",
        append: &["intel_iommu=on"],
        iommu: true,
        ..default
    };
    [default, iommu]
};

/// Returns whether a machine meets a requirement.
pub(super) fn meets(machine: &Machine, need: Need) -> bool {
    match need {
        Need::TwoGpus => machine.gpus.len() == 2,
        Need::ThreeGpus => machine.gpus.len() == 3,
        Need::PeerAccess => machine.gpus.len() > 1 && machine.bus != Bus::RootPorts,
        Need::NoPeerAccess => machine.bus == Bus::RootPorts,
        Need::SmallVram => machine.gpus.iter().all(|gpu| *gpu == SMALL_VRAM),
        Need::Swap => machine.swap.is_some(),
        Need::Hibernation => machine.hibernates,
        Need::Iommu => machine.iommu,
        Need::BounceBuffers => machine.append.contains(&BOUNCE_BUFFERS),
        Need::Monitor => machine.monitor,
        Need::Qxl => machine.devices.contains(&QXL),
        // Matters of a boot, which the plan and the queue see to.
        Need::LeakScan | Need::OtherPrograms | Need::LastOfBoot => true,
    }
}
