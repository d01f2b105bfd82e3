// SPDX-License-Identifier: GPL-2.0

//! The suites of a guest, in stages.

use suite_spec::{Need, Spec, Tag};

use super::machines::{self, Variant};
use super::plan::{DEFAULT, DMABUF, MEMORY, USERPTR};
use crate::guest::Machine;

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
    pub(super) suites: Vec<Spec>,
}

impl Stage {
    /// Returns the stage of a guest whose driver has no parameters.
    fn first(name: &'static str, suites: Vec<Spec>) -> Self {
        Self {
            name,
            parameters: &[],
            suites,
        }
    }

    /// Returns the report's name of a suite of this stage.
    pub(super) fn label(&self, suite: &str) -> String {
        match self.name {
            DEFAULT => suite.to_owned(),
            name => format!("{name}/{suite}"),
        }
    }

    /// Returns whether a suite of this name runs in it.
    pub(super) fn has(&self, suite: &str) -> bool {
        self.suites.iter().any(|it| it.name == suite)
    }

    /// Returns whether a word chooses all suites of a kind, this one among them.
    pub(super) fn is_in_group(&self, word: &str, suite: &Spec) -> bool {
        match word {
            // Data that DMA takes another way is a matter of the memory manager.
            MEMORY if self.name != DEFAULT && suite.has(Tag::Dma) => true,
            MEMORY => suite.has(Tag::Memory),
            DMABUF => suite.has(Tag::Dmabuf),
            USERPTR => suite.has(Tag::Userptr),
            word => word == self.name,
        }
    }
}

impl Assignment {
    /// Returns a guest whose driver has no parameters.
    pub(super) fn new(machine: Machine, suites: Vec<Spec>) -> Self {
        Self {
            machine,
            stages: vec![Stage::first(machine.name, suites)],
        }
        .scanned()
    }

    /// Adds a stage.
    pub(super) fn with_variant(mut self, variant: &Variant, suites: Vec<Spec>) -> Self {
        self.stages.push(Stage {
            name: variant.name,
            parameters: variant.parameters,
            suites,
        });
        self.scanned()
    }

    /// Returns whether the machine meets all requirements of a suite.
    pub(super) fn meets(&self, suite: &Spec) -> bool {
        let mut needs = suite.needs.iter();
        needs.all(|need| machines::meets(&self.machine, *need))
    }

    /// Returns the report's name of something that is not a suite of a stage.
    pub(super) fn label(&self, what: &str) -> String {
        Stage::first(self.machine.name, vec![]).label(what)
    }

    /// Keeps the suites that are wanted, and the guest if there are any.
    pub(super) fn retain(mut self, wanted: impl Fn(&Stage, &Spec) -> bool) -> Option<Self> {
        for stage in &mut self.stages {
            let suites = std::mem::take(&mut stage.suites);
            let wanted = suites.into_iter().filter(|suite| wanted(stage, suite));
            stage.suites = wanted.collect();
        }
        self.stages.retain(|stage| !stage.suites.is_empty());
        (!self.stages.is_empty()).then(|| self.scanned())
    }

    /// The leak checker is on where one of the suites asks for the scan, which then looks at what
    /// all of them have left; elsewhere it is off, as it takes time.
    fn scanned(mut self) -> Self {
        let mut suites = self.stages.iter().flat_map(|stage| &stage.suites);
        self.machine.kmemleak = suites.any(|suite| suite.needs(Need::LeakScan));
        self
    }
}
