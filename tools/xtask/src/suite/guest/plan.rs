// SPDX-License-Identifier: GPL-2.0

//! Matches suites and guests, and finds what a caller's names choose.
//!
//! A suite runs in the first guest that meets all of its requirements, and again wherever one of
//! its tags is taken. A suite whose requirements no guest meets is an error of the plan.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use suite_spec::{Need, Spec, Tag};

use super::assignment::{Assignment, Stage};
use super::machines::{GUESTS, STRESS};
use super::{RELOAD, c_driver, kernel_tests};
use crate::guest::Machine;
use crate::suite::{Choice, cargo, kunit};

/// The group of suites about the memory manager.
pub(super) const MEMORY: &str = "memory";

/// The group of suites about shared buffers.
pub(super) const DMABUF: &str = "dmabuf";

/// The group of suites about memory of processes.
pub(super) const USERPTR: &str = "userptr";

/// The suite that does everything at once.
const SOAK: &str = "soak";

/// The first stage of the default guest, whose suites have names without a guest's.
pub(super) const DEFAULT: &str = Machine::DEFAULT.name;

/// Every guest with its suites.
pub(super) struct Plan {
    guests: Vec<Assignment>,
    suites: Vec<Spec>,
}

impl Plan {
    /// Matches the suites of the test program and those that scripts run with the guests.
    pub(super) fn new(mut suites: Vec<Spec>) -> Result<Self> {
        suites.push(Spec::new(c_driver::NAME, &[], &[]));
        suites.push(Spec::new(RELOAD, &[Need::LeakScan, Need::LastOfBoot], &[]));
        let mut guests = matched(&suites)?;
        guests.push(Assignment::new(
            kernel_tests::MACHINE,
            kernels_own(kernel_tests::SUITES),
        ));
        Ok(Self { guests, suites })
    }

    /// Returns what is chosen of all guests: each word is a group, a guest or stage, a suite in
    /// one of these, or a suite, in the first stage that runs it. Any other word is an error.
    pub(super) fn choose(&self, choice: &Choice) -> Result<Vec<Assignment>> {
        if choice.is_all() {
            return Ok(self.guests.clone());
        }
        let mut chosen = vec![];
        for word in choice.names() {
            let found = self.labels(word);
            if found.is_empty() && !has_no_guest(word) {
                bail!("there is no suite {word}; there are {}", self.names());
            }
            chosen.extend(found);
        }
        let wanted = |stage: &Stage, suite: &Spec| chosen.contains(&stage.label(&suite.name));
        let guests = self.guests.iter().cloned();
        Ok(guests.filter_map(|guest| guest.retain(wanted)).collect())
    }

    /// Returns the labels of the suites that a word chooses.
    fn labels(&self, word: &str) -> Vec<String> {
        let labels = |chosen: &dyn Fn(&Stage, &Spec) -> bool| -> Vec<String> {
            let of_stage = |stage: &Stage| -> Vec<String> {
                let suites = stage.suites.iter().filter(|suite| chosen(stage, suite));
                suites.map(|suite| stage.label(&suite.name)).collect()
            };
            self.stages().flat_map(of_stage).collect()
        };
        let group = labels(&|stage, suite| stage.is_in_group(word, suite));
        if !group.is_empty() {
            return group;
        }
        if let Some((name, wanted)) = word.split_once('/') {
            return labels(&|stage, suite| stage.name == name && suite.name == wanted);
        }
        let mut found = labels(&|_, suite| suite.name == word);
        found.truncate(1);
        found
    }

    /// Returns the guests for the suites that have a long form, or for those of them that are named.
    pub(super) fn stress(&self, choice: &Choice) -> Result<Vec<Assignment>> {
        let long = self.suites.iter().filter(|suite| suite.has(Tag::Long));
        let names: Vec<_> = long.clone().map(|suite| suite.name.as_str()).collect();
        for name in choice.names() {
            ensure!(
                names.contains(&name),
                "no suite {name} has a long form; {} have one",
                names.join(", ")
            );
        }
        let chosen = |suite: &&Spec| choice.is_all() || choice.has(&suite.name);
        let empty = STRESS.map(|machine| Assignment::new(machine, vec![]));
        let home = |suite: &Spec| empty.iter().position(|guest| guest.meets(suite));
        let guests = STRESS.into_iter().enumerate().map(|(at, machine)| {
            let here = |suite: &&Spec| home(suite).unwrap_or(0) == at;
            let suites = long.clone().filter(chosen).filter(here);
            Assignment::new(machine, suites.cloned().collect())
        });
        Ok(guests
            .filter_map(|guest| guest.retain(|_, _| true))
            .collect())
    }

    /// Returns the guest for the suite that does everything at once, for a time.
    pub(super) fn soak(&self, time: Duration) -> Result<Vec<Assignment>> {
        let mut guests = self.stress(&Choice::one(SOAK))?;
        for guest in &mut guests {
            guest.machine.limit += time;
        }
        Ok(guests)
    }

    fn stages(&self) -> impl Iterator<Item = &Stage> {
        self.guests.iter().flat_map(|guest| &guest.stages)
    }

    /// Returns the words that may be chosen, for a message.
    fn names(&self) -> String {
        let mut names = vec![cargo::NAME, kunit::NAME, MEMORY];
        let suites = self.stages().flat_map(|stage| &stage.suites);
        let suites = suites.map(|suite| suite.name.as_str());
        for name in suites.chain(self.stages().map(|stage| stage.name)) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names.join(", ")
    }
}

/// Returns whether a word chooses tests that run in no guest of suites.
pub(super) fn has_no_guest(word: &str) -> bool {
    [cargo::NAME, kunit::NAME].contains(&word)
}

/// Matches suites with guests.
fn matched(suites: &[Spec]) -> Result<Vec<Assignment>> {
    let mut guests: Vec<_> = GUESTS
        .iter()
        .map(|guest| Assignment::new(guest.machine, vec![]))
        .collect();
    let homes = suites
        .iter()
        .map(|suite| home(&guests, suite))
        .collect::<Result<Vec<_>>>()?;
    for (at, guest) in GUESTS.iter().enumerate() {
        let empty = &guests[at];
        let again = |suite: &Spec, tags: &[Tag]| {
            empty.meets(suite) && tags.iter().any(|tag| suite.has(*tag))
        };
        let here = |wanted: &dyn Fn(&Spec, usize) -> bool| -> Vec<Spec> {
            let suites = suites.iter().zip(&homes);
            let wanted = suites.filter(|(suite, home)| wanted(suite, **home));
            wanted.map(|(suite, _)| suite.clone()).collect()
        };
        let first = here(&|suite, home| home == at || again(suite, guest.takes));
        let mut full = Assignment::new(guest.machine, first);
        for variant in guest.variants {
            let suites = here(&|suite, _| again(suite, variant.takes));
            full = full.with_variant(variant, suites);
        }
        guests[at] = full;
    }
    Ok(guests)
}

/// Returns the number of the first guest that meets all requirements of a suite.
fn home(guests: &[Assignment], suite: &Spec) -> Result<usize> {
    let Some(home) = guests.iter().position(|guest| guest.meets(suite)) else {
        let needs: Vec<_> = suite.needs.iter().map(Need::to_string).collect();
        bail!(
            "no guest runs the suite {}, which needs {}",
            suite.name,
            needs.join(" and ")
        );
    };
    Ok(home)
}

/// Returns the guests of the plain kernel, which run when the kernel's own tests are named.
pub(super) fn plain(choice: &Choice) -> Vec<Assignment> {
    if !choice.has(kernel_tests::NAME) {
        return Vec::new();
    }
    let guest = |machine, suites| Assignment::new(machine, kernels_own(suites));
    vec![
        guest(kernel_tests::TIMED, kernel_tests::TIMED_SUITES),
        guest(kernel_tests::PLAIN, kernel_tests::PLAIN_SUITES),
    ]
}

/// Returns the suites of the kernel's own, whose guests are given.
fn kernels_own(suites: &[&str]) -> Vec<Spec> {
    suites
        .iter()
        .map(|name| Spec::new(name, &[], &[]))
        .collect()
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
    let has = |suite: &Spec| tests.contains(&format!("{}.{test}", suite.name));
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

#[cfg(test)]
pub(super) mod tests;
