// SPDX-License-Identifier: GPL-2.0

//! The declaration of a guest suite: its name, what it needs of a guest, and its tags.
//!
//! A suite declares this beside its tests. The test program prints the declarations, a line each,
//! and the plan of `make test` reads them to match suites and guests.

mod words;

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, Result, ensure};

use words::{join, split, words};

words! {
    /// A requirement: the suite runs in the first guest that meets all of its requirements.
    Need, "requirement" {
        /// Two GPUs, and no third one.
        TwoGpus = "two-gpus",
        /// Three GPUs.
        ThreeGpus = "three-gpus",
        /// GPUs of which at least two access each other's VRAM.
        PeerAccess = "peer-access",
        /// GPUs that do not access each other's VRAM.
        NoPeerAccess = "no-peer-access",
        /// VRAM that is soon overcommitted.
        SmallVram = "small-vram",
        /// Swap, for BOs to be backed up to.
        Swap = "swap",
        /// Swap for the image, and nothing that gets lost on the way.
        Hibernation = "hibernation",
        /// An IOMMU that translates the GPU's addresses.
        Iommu = "iommu",
        /// DMA through bounce buffers only.
        BounceBuffers = "bounce-buffers",
        /// A qxl device, whose driver is a TTM driver in C.
        Qxl = "qxl",
        /// QEMU's monitor, to inject errors of the bus.
        Monitor = "monitor",
        /// A scan for leaks at the end of the boot.
        LeakScan = "leak-scan",
        /// Programs of others, which are in the share then.
        OtherPrograms = "other-programs",
        /// No other suite after it in the same boot: it leaves the guest unfit for them.
        LastOfBoot = "last-of-boot",
    }
}

words! {
    /// A tag: a group that the suite is part of, or a kind of guest in which it runs again.
    Tag, "tag" {
        /// In the group of suites about the memory manager.
        Memory = "memory",
        /// In the group of suites about shared buffers.
        Dmabuf = "dmabuf",
        /// In the group of suites about memory of processes.
        Userptr = "userptr",
        /// Runs again wherever DMA takes another way.
        Dma = "dma",
        /// Runs again where an IOMMU maps and unmaps pages one by one.
        Iommu = "iommu",
        /// Runs again where memory is little and there is swap.
        LowMemory = "low-memory",
        /// Runs again where VRAM is soon overcommitted.
        SmallVram = "small-vram",
        /// Has a long form, for `make stress`.
        Long = "long",
    }
}

/// A suite's declaration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// Its name.
    pub name: String,
    /// Its requirements, all of which a guest must meet.
    pub needs: Vec<Need>,
    /// The groups that it is part of, and the kinds of guests in which it runs again.
    pub tags: Vec<Tag>,
}

impl Spec {
    /// Makes a declaration.
    pub fn new(name: &str, needs: &[Need], tags: &[Tag]) -> Self {
        Self {
            name: name.to_owned(),
            needs: needs.to_vec(),
            tags: tags.to_vec(),
        }
    }

    /// Returns whether the suite has a requirement.
    pub fn needs(&self, need: Need) -> bool {
        self.needs.contains(&need)
    }

    /// Returns whether the suite has a tag.
    pub fn has(&self, tag: Tag) -> bool {
        self.tags.contains(&tag)
    }
}

/// A line of text, which [`FromStr`] reads.
impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (needs, tags) = (join(&self.needs), join(&self.tags));
        write!(f, "{} needs={needs} tags={tags}", self.name)
    }
}

impl FromStr for Spec {
    type Err = anyhow::Error;

    fn from_str(line: &str) -> Result<Self> {
        let read = || -> Option<(&str, &str, &str)> {
            let mut parts = line.split(' ');
            let name = parts.next().filter(|name| !name.is_empty())?;
            let needs = parts.next()?.strip_prefix("needs=")?;
            let tags = parts.next()?.strip_prefix("tags=")?;
            parts.next().is_none().then_some((name, needs, tags))
        };
        let (name, needs, tags) = read().with_context(|| format!("no declaration: {line}"))?;
        let spec = || -> Result<Self> {
            Ok(Self {
                name: name.to_owned(),
                needs: split(needs)?,
                tags: split(tags)?,
            })
        };
        spec().with_context(|| format!("the suite {name}"))
    }
}

/// Reads the declarations that the test program prints, and checks that no two have one name.
pub fn read(text: &str) -> Result<Vec<Spec>> {
    let specs = text
        .lines()
        .map(Spec::from_str)
        .collect::<Result<Vec<_>>>()?;
    for (at, spec) in specs.iter().enumerate() {
        ensure!(
            specs[..at].iter().all(|other| other.name != spec.name),
            "two suites are named {}",
            spec.name
        );
    }
    Ok(specs)
}

#[cfg(test)]
mod tests {
    use super::{Need, Spec, Tag, read};

    #[test]
    fn declarations_survive_as_text() {
        let specs = [
            Spec::new("plain", &[], &[]),
            Spec::new("lost", &[Need::TwoGpus, Need::LastOfBoot], &[]),
            Spec::new("gem", &[], &[Tag::Memory, Tag::Dma]),
            Spec::new("all", Need::ALL, Tag::ALL),
        ];
        let text: Vec<String> = specs.iter().map(Spec::to_string).collect();
        assert_eq!(text[0], "plain needs= tags=");
        assert_eq!(text[1], "lost needs=two-gpus,last-of-boot tags=");
        assert_eq!(read(&text.join("\n")).unwrap(), specs);
    }

    #[test]
    fn unknown_words_and_broken_lines_are_errors() {
        let error = |text| format!("{:#}", read(text).unwrap_err());
        assert_eq!(
            error("gem needs=moon tags="),
            "the suite gem: there is no requirement moon"
        );
        assert_eq!(
            error("gem needs= tags=memory,sun"),
            "the suite gem: there is no tag sun"
        );
        for line in [
            "gem",
            "",
            " needs= tags=",
            "gem tags= needs=",
            "a needs= tags= b",
        ] {
            assert!(read(&format!("{line}\n")).is_err(), "{line:?}");
        }
        let twice = "gem needs= tags=\ngem needs= tags=dma\n";
        assert_eq!(error(twice), "two suites are named gem");
    }
}
