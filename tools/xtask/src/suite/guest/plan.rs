// SPDX-License-Identifier: GPL-2.0

//! Which guests there are, and which suites run in each.

use std::time::Duration;

use anyhow::{Result, bail, ensure};

use super::{RELOAD, kernel_tests};
use crate::guest::{Bus, Gpu, Machine};

/// The group of suites about the memory manager.
const MEMORY: &str = "memory";

/// The group of suites about sharing.
const DMABUF: &str = "dmabuf";

/// What the first group runs in the default guest, besides all that runs in
/// others and is not about something else.
const MEMORY_SUITES: &[&str] = &[
    "gem",
    "mmap",
    "zero",
    "placement",
    "scratchpad",
    "faults",
    "evict",
    "moves",
    "policy",
    "cgroup",
    "madvise",
    "pressure",
    "observe",
];

/// Whether a suite is about sharing.
fn is_dmabuf(suite: &str) -> bool {
    suite.starts_with(DMABUF)
}

/// Suites about jobs, and none of the first group wherever they run.
const JOBS: &[&str] = &["lost", "submit"];

/// Suites that see to it that data arrives wherever DMA goes. Machines on which
/// it goes another way run them again.
const DATA: &[&str] = &["gem", "mmap", "cs", "zero", "evict"];

/// Suites that need a machine of their own: to find anything, or to be done in
/// time.
const ELSEWHERE: &[&str] = &[
    "gpus",
    "dmabuf-bounced",
    "dmabuf-peers",
    "dmabuf-qxl",
    "dmabuf-strangers",
    "dmabuf-three",
    "hunt",
    "inject",
    "inject-backup",
    "lost",
    "overcommit",
    "racing",
    "submit",
];

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

/// The guests besides the default one, which runs all that is not
/// [`ELSEWHERE`].
const GUESTS: &[(Machine, &[&str])] = &[
    (
        // As long as the default one, beside it.
        Machine {
            name: "more",
            ..Machine::DEFAULT
        },
        &["inject", "submit"],
    ),
    (
        Machine {
            name: "swiotlb",
            append: &["swiotlb=force"],
            ..Machine::DEFAULT
        },
        &["gem", "mmap", "cs", "zero", "evict", "dmabuf-bounced"],
    ),
    (
        // RAM that the device cannot reach.
        Machine {
            name: "mask32",
            memory: 5120,
            parameters: &["dma_bits=32"],
            ..Machine::DEFAULT
        },
        DATA,
    ),
    (
        Machine {
            name: "coherent",
            parameters: &["use_dma_alloc=1"],
            ..Machine::DEFAULT
        },
        DATA,
    ),
    (
        Machine {
            name: "lowmem",
            memory: 384,
            swap: Some(1024),
            ..Machine::DEFAULT
        },
        &["gem", "madvise", "pressure", "inject-backup"],
    ),
    (
        // VRAM that is soon overcommitted.
        Machine {
            name: "small-vram",
            gpus: &[Gpu {
                vram: "64M",
                visible: "16M",
            }],
            ..Machine::DEFAULT
        },
        &["racing", "overcommit", "hunt"],
    ),
    (
        Machine {
            name: "two-gpus",
            gpus: TWO,
            ..Machine::DEFAULT
        },
        // One of them does not survive the last.
        &["gpus", "dmabuf-strangers", "lost"],
    ),
    (
        Machine {
            name: "peers",
            gpus: THREE,
            bus: Bus::SwitchAndPort,
            devices: &["qxl"],
            ..Machine::DEFAULT
        },
        &["dmabuf-peers", "dmabuf-three", "dmabuf-qxl"],
    ),
    (
        Machine {
            name: kernel_tests::NAME,
            append: kernel_tests::APPEND,
            ..Machine::DEFAULT
        },
        kernel_tests::SUITES,
    ),
];

/// Suites that have a long form.
const LONG: &[&str] = &["racing", "overcommit", "hunt"];

/// Where they run in it.
const STRESS: Machine = Machine {
    limit: Duration::from_secs(4 * 3600),
    ..Machine::DEFAULT
};

/// What one guest runs, in this order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Assignment {
    pub(super) machine: Machine,
    pub(super) suites: Vec<String>,
}

impl Assignment {
    fn title(&self) -> &'static str {
        self.machine.name
    }

    /// What the report calls a suite in this guest.
    pub(super) fn name(&self, suite: &str) -> String {
        match self.machine.is_default() {
            true => suite.to_owned(),
            false => format!("{}/{suite}", self.title()),
        }
    }

    fn retain(mut self, wanted: impl Fn(&str) -> bool) -> Option<Self> {
        self.suites.retain(|suite| wanted(suite));
        (!self.suites.is_empty()).then_some(self)
    }
}

/// Assigns the test program's suites, of which `only` may choose: a group, a
/// guest, a suite in a guest, or a suite in the first guest that runs it.
pub(super) fn plan(listed: &[String], only: Option<&str>) -> Result<Vec<Assignment>> {
    let all = everything(listed)?;
    let Some(only) = only else {
        return Ok(all);
    };
    let names = names(&all);
    let mut chosen: Vec<_> = all
        .into_iter()
        .filter_map(|guest| {
            let machine = guest.machine;
            let in_memory = |suite: &str| match machine.is_default() {
                true => MEMORY_SUITES.contains(&suite),
                false => {
                    !is_dmabuf(suite)
                        && !JOBS.contains(&suite)
                        && !kernel_tests::SUITES.contains(&suite)
                }
            };
            match only {
                MEMORY => guest.retain(in_memory),
                DMABUF => guest.retain(is_dmabuf),
                _ if only == machine.name => Some(guest),
                _ => match only.split_once('/') {
                    Some((name, suite)) if name == machine.name => guest.retain(|it| it == suite),
                    Some(_) => None,
                    None => guest.retain(|it| it == only),
                },
            }
        })
        .collect();
    if chosen.is_empty() {
        bail!("there is no suite {only}; there are cargo, kunit, {names}");
    }
    if ![MEMORY, DMABUF].contains(&only) {
        chosen.truncate(1);
    }
    Ok(chosen)
}

/// The guests of the plain kernel, which all run when the kernel's own tests are chosen.
pub(super) fn plain(only: Option<&str>) -> Vec<Assignment> {
    if only != Some(kernel_tests::NAME) {
        return Vec::new();
    }
    let guests = [
        (kernel_tests::TIMED, kernel_tests::TIMED_SUITES),
        (kernel_tests::PLAIN, kernel_tests::PLAIN_SUITES),
    ];
    let assign = |(machine, suites): (Machine, &[&str])| Assignment {
        machine,
        suites: suites.iter().map(|&suite| suite.to_owned()).collect(),
    };
    guests.into_iter().map(assign).collect()
}

/// Assigns the suites that have a long form, or the one of them named.
pub(super) fn stress(only: Option<&str>) -> Result<Assignment> {
    let suites: Vec<_> = LONG
        .iter()
        .filter(|&&suite| only.is_none_or(|only| only == suite))
        .map(|&suite| suite.to_owned())
        .collect();
    ensure!(
        !suites.is_empty(),
        "no such suite has a long form; {} have one",
        LONG.join(", ")
    );
    Ok(Assignment {
        machine: STRESS,
        suites,
    })
}

/// Every guest with all that it runs, the default one first.
fn everything(listed: &[String]) -> Result<Vec<Assignment>> {
    let mut suites: Vec<_> = listed
        .iter()
        .filter(|suite| !ELSEWHERE.contains(&suite.as_str()))
        .cloned()
        .collect();
    suites.push(RELOAD.to_owned());
    let mut all = vec![Assignment {
        machine: Machine::DEFAULT,
        suites,
    }];
    for (machine, suites) in GUESTS {
        for suite in *suites {
            ensure!(
                kernel_tests::command(suite).is_some() || listed.iter().any(|it| it == suite),
                "the guest {} is to run {suite}, which the test program does not have",
                machine.name
            );
        }
        all.push(Assignment {
            machine: *machine,
            suites: suites.iter().map(|&suite| suite.to_owned()).collect(),
        });
    }
    Ok(all)
}

/// What may be chosen, for a message.
fn names(all: &[Assignment]) -> String {
    let (default, others) = all.split_at(1);
    let mut names: Vec<_> = default
        .iter()
        .flat_map(|guest| guest.suites.clone())
        .collect();
    let others = others.iter().map(Assignment::title);
    let rest = ELSEWHERE.iter().copied().chain([MEMORY]).chain(others);
    names.extend(rest.map(str::to_owned));
    names.join(", ")
}

#[cfg(test)]
mod tests;
