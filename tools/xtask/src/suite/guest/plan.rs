// SPDX-License-Identifier: GPL-2.0

//! Which guests there are, and which suites run in each.
//!
//! All names are here, so that one that is wrong is told before anything is built for it.

use std::time::Duration;

use anyhow::{Result, bail, ensure};

use super::{RELOAD, c_driver, kernel_tests};
use crate::guest::{Bus, Gpu, Machine};
use crate::suite::{Choice, cargo, kunit};

/// The group of suites about the memory manager.
const MEMORY: &str = "memory";

/// The group of suites about sharing.
const DMABUF: &str = "dmabuf";

/// The first stage of the default guest, whose suites have names without a guest's.
const DEFAULT: &str = Machine::DEFAULT.name;

/// The suites of the default guest, with the driver as it loads by itself.
const DEFAULT_SUITES: &[&str] = &[
    "query",
    "gem",
    "mmap",
    "wait",
    "vm",
    "cs",
    "zero",
    "clients",
    "placement",
    "scratchpad",
    "faults",
    "evict",
    "moves",
    "submit",
    DMABUF,
    "policy",
    "cgroup",
    "madvise",
    "pressure",
    "leak",
    "inject",
    "observe",
    c_driver::NAME,
    "unbind",
    RELOAD,
];

/// Those of them that are in the first group.
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
    "inject",
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

/// Further stages of the default guest, in which the driver has other parameters: the name, the
/// parameters, and the suites.
const STAGES: &[(&str, &[&str], &[&str])] = &[
    ("coherent", &["use_dma_alloc=1"], DATA),
    // The device does not reach all of the RAM.
    ("mask32", &["dma_bits=32"], DATA),
];

/// Suites that leave a guest in which no other one is to run.
const LAST: &[&str] = &["unbind", "lost", RELOAD];

/// Suites that look for leaks. Where one of them runs, the leak checker is on and looks at the
/// end of every boot at what all of its suites have left; elsewhere it is off, as it takes time.
const SCANNED: &[&str] = &[RELOAD, "inject", "inject-backup"];

/// The default guest. Half of its RAM has addresses of more than 32 bits.
const MACHINE: Machine = Machine {
    low: Some(1024),
    ..Machine::DEFAULT
};

/// The other guests, each with its suites.
const GUESTS: &[(Machine, &[&str])] = &[
    (
        Machine {
            name: "swiotlb",
            append: &["swiotlb=force"],
            ..Machine::DEFAULT
        },
        &["gem", "mmap", "cs", "zero", "evict", "dmabuf-bounced"],
    ),
    (
        // Pages are mapped and unmapped one by one.
        Machine {
            name: "iommu",
            append: &["intel_iommu=on"],
            iommu: true,
            ..Machine::DEFAULT
        },
        &["iommu-pages", "gem", "mmap", "cs", "zero", "evict", "moves"],
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

/// A guest and its suites.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Assignment {
    pub(super) machine: Machine,
    pub(super) stages: Vec<Stage>,
}

/// Suites that run in a guest with the same parameters of the driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stage {
    /// Stands in front of the suites' names in the report.
    pub(super) name: &'static str,
    /// The driver's parameters, `name=value`.
    pub(super) parameters: &'static [&'static str],
    pub(super) suites: Vec<String>,
}

impl Stage {
    fn new(name: &'static str, parameters: &'static [&'static str], suites: &[&str]) -> Self {
        Self {
            name,
            parameters,
            suites: suites.iter().map(|&suite| suite.to_owned()).collect(),
        }
    }

    /// The report's name of a suite of this stage.
    pub(super) fn label(&self, suite: &str) -> String {
        match self.name {
            DEFAULT => suite.to_owned(),
            name => format!("{name}/{suite}"),
        }
    }

    fn has(&self, suite: &str) -> bool {
        self.suites.iter().any(|it| it == suite)
    }

    /// Whether a word chooses all suites of a kind, this one among them.
    fn is_in_group(&self, word: &str, suite: &str) -> bool {
        let jobs = || JOBS.contains(&suite) || kernel_tests::command(suite).is_some();
        match word {
            MEMORY if self.name == DEFAULT => MEMORY_SUITES.contains(&suite),
            MEMORY => !is_dmabuf(suite) && !jobs(),
            DMABUF => is_dmabuf(suite),
            word => word == self.name,
        }
    }
}

impl Assignment {
    /// A guest whose driver has no parameters.
    fn new(machine: Machine, suites: &[&str]) -> Self {
        Self {
            machine,
            stages: vec![Stage::new(machine.name, &[], suites)],
        }
        .checked_for_leaks()
    }

    /// The report's name of something that is not a suite of a stage.
    pub(super) fn label(&self, what: &str) -> String {
        Stage::new(self.machine.name, &[], &[]).label(what)
    }

    /// Keeps the suites that are wanted, and the guest if there are any.
    fn retain(mut self, wanted: impl Fn(&Stage, &str) -> bool) -> Option<Self> {
        for stage in &mut self.stages {
            let suites = std::mem::take(&mut stage.suites);
            let wanted = suites.into_iter().filter(|suite| wanted(stage, suite));
            stage.suites = wanted.collect();
        }
        self.stages.retain(|stage| !stage.suites.is_empty());
        (!self.stages.is_empty()).then(|| self.checked_for_leaks())
    }

    fn checked_for_leaks(mut self) -> Self {
        let scanned = |stage: &Stage| SCANNED.iter().any(|suite| stage.has(suite));
        self.machine.kmemleak = self.stages.iter().any(scanned);
        self
    }
}

/// Whether a suite has to be the last one of its boot.
pub(super) fn is_last(suite: &str) -> bool {
    LAST.contains(&suite)
}

/// Returns what is chosen of all guests: each word is a group, a guest or stage, a suite in one of
/// these, or a suite, in the first stage that runs it. A word that is nothing of that is an error.
pub(super) fn plan(choice: &Choice) -> Result<Vec<Assignment>> {
    let all = everything();
    if choice.is_all() {
        return Ok(all);
    }
    let mut chosen = vec![];
    for word in choice.names() {
        let found = matches(&all, word);
        if found.is_empty() && ![cargo::NAME, kunit::NAME].contains(&word) {
            bail!("there is no suite {word}; there are {}", names(&all));
        }
        chosen.extend(found);
    }
    let wanted = |stage: &Stage, suite: &str| chosen.contains(&stage.label(suite));
    Ok(all
        .into_iter()
        .filter_map(|guest| guest.retain(wanted))
        .collect())
}

/// The labels of the suites that a word chooses.
fn matches(all: &[Assignment], word: &str) -> Vec<String> {
    let stages = all.iter().flat_map(|guest| &guest.stages);
    let labels = |chosen: &dyn Fn(&Stage, &str) -> bool| -> Vec<String> {
        let of_stage = |stage: &Stage| -> Vec<String> {
            let suites = stage.suites.iter().filter(|suite| chosen(stage, suite));
            suites.map(|suite| stage.label(suite)).collect()
        };
        stages.clone().flat_map(of_stage).collect()
    };
    let group = labels(&|stage, suite| stage.is_in_group(word, suite));
    if !group.is_empty() {
        return group;
    }
    if let Some((name, wanted)) = word.split_once('/') {
        return labels(&|stage, suite| stage.name == name && suite == wanted);
    }
    let mut found = labels(&|_, suite| suite == word);
    found.truncate(1);
    found
}

/// Returns the guests of the plain kernel, which run when the kernel's own tests are named.
pub(super) fn plain(choice: &Choice) -> Vec<Assignment> {
    if !choice.has(kernel_tests::NAME) {
        return Vec::new();
    }
    vec![
        Assignment::new(kernel_tests::TIMED, kernel_tests::TIMED_SUITES),
        Assignment::new(kernel_tests::PLAIN, kernel_tests::PLAIN_SUITES),
    ]
}

/// Returns the suites that have a long form, or those of them that are named.
pub(super) fn stress(choice: &Choice) -> Result<Assignment> {
    for name in choice.names() {
        ensure!(
            LONG.contains(&name),
            "no suite {name} has a long form; {} have one",
            LONG.join(", ")
        );
    }
    let chosen = |name: &&str| choice.is_all() || choice.has(name);
    let suites: Vec<_> = LONG.iter().copied().filter(chosen).collect();
    Ok(Assignment {
        machine: STRESS,
        stages: vec![Stage::new(DEFAULT, &[], &suites)],
    })
}

/// Keeps the suites that have a test of this name, of those that `listed` names as `SUITE.TEST`.
pub(super) fn with_test(
    guests: Vec<Assignment>,
    listed: &[String],
    test: &str,
) -> Result<Vec<Assignment>> {
    let chosen = |line: &&String| {
        let suite = line.split_once('.').map(|(suite, _)| suite);
        let stages = || guests.iter().flat_map(|guest| &guest.stages);
        suite.is_some_and(|suite| stages().any(|stage| stage.has(suite)))
    };
    let tests: Vec<_> = listed.iter().filter(chosen).cloned().collect();
    let has = |suite: &str| tests.contains(&format!("{suite}.{test}"));
    let kept: Vec<_> = guests
        .iter()
        .cloned()
        .filter_map(|guest| guest.retain(|_, suite| has(suite)))
        .collect();
    ensure!(
        !kept.is_empty(),
        "there is no test {test} in these suites; there are {}",
        tests.join(", ")
    );
    Ok(kept)
}

/// Checks that the test program has the suites that guests are to run, and no others.
pub(super) fn check(listed: &[String]) -> Result<()> {
    let all = everything();
    let stages = || all.iter().flat_map(|guest| &guest.stages);
    let others = [RELOAD, c_driver::NAME];
    let is_ours = |suite: &&String| {
        !others.contains(&suite.as_str()) && kernel_tests::command(suite).is_none()
    };
    for suite in stages().flat_map(|stage| &stage.suites).filter(is_ours) {
        ensure!(
            listed.contains(suite),
            "{suite} is to run, which the test program does not have"
        );
    }
    for suite in listed {
        ensure!(
            stages().any(|stage| stage.has(suite)),
            "no guest runs {suite}, which the test program has"
        );
    }
    Ok(())
}

/// Every guest with all that it runs, the default one first.
fn everything() -> Vec<Assignment> {
    let mut default = Assignment::new(MACHINE, DEFAULT_SUITES);
    let stages = STAGES.iter();
    let stages = stages.map(|(name, parameters, suites)| Stage::new(name, parameters, suites));
    default.stages.extend(stages);
    let others = GUESTS.iter();
    let others = others.map(|(machine, suites)| Assignment::new(*machine, suites));
    std::iter::once(default).chain(others).collect()
}

/// What may be chosen, for a message.
fn names(all: &[Assignment]) -> String {
    let mut names = vec![cargo::NAME, kunit::NAME, MEMORY];
    let stages = || all.iter().flat_map(|guest| &guest.stages);
    let suites = stages().flat_map(|stage| stage.suites.iter().map(String::as_str));
    for name in suites.chain(stages().map(|stage| stage.name)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(", ")
}

#[cfg(test)]
mod tests;
