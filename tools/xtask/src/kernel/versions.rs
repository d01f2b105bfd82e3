// SPDX-License-Identifier: GPL-2.0

//! Which releases of Linux there is support for: the table tools/kernel/versions.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail, ensure};

use crate::progress;

/// The table, which tools/kdir.sh reads, too.
const TABLE: &str = include_str!("../../../kernel/versions");

/// A release of Linux, without what stable updates add to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Release {
    version: u32,
    patchlevel: u32,
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.version, self.patchlevel)
    }
}

impl FromStr for Release {
    type Err = anyhow::Error;

    /// Takes the first two numbers of what may be longer, such as a package's version.
    fn from_str(text: &str) -> Result<Self> {
        let number = |text: &str| {
            let end = text.find(|digit: char| !digit.is_ascii_digit());
            text[..end.unwrap_or(text.len())].parse().ok()
        };
        text.split_once('.')
            .and_then(|(version, rest)| {
                Some(Self {
                    version: number(version)?,
                    patchlevel: number(rest)?,
                })
            })
            .with_context(|| format!("{text} is no release of Linux"))
    }
}

/// A supported release.
pub(super) struct Supported {
    pub(super) release: Release,
    /// The distribution's package of its source.
    pub(super) package: &'static str,
}

/// Returns the supported releases, the newest first.
pub(super) fn supported() -> Result<Vec<Supported>> {
    let lines = TABLE.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (release, package) = line
                .split_once(' ')
                .with_context(|| format!("tools/kernel/versions: {line} names no package"))?;
            Ok(Supported {
                release: release.parse()?,
                package: package.trim(),
            })
        })
        .collect()
}

/// How a tree's release stands to the table.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Support {
    /// It is in it.
    Full,
    /// It is newer than all that is in it.
    Untried,
}

/// Checks that the driver may be built for the tree `dir` of the given release, and warns where
/// that was not tried.
pub(super) fn check(dir: &Path, release: Release) -> Result<Support> {
    let supported = supported()?;
    let releases: Vec<_> = supported.iter().map(|entry| entry.release).collect();
    let support =
        judge(&releases, release).with_context(|| format!("{} cannot be taken", dir.display()))?;
    if support == Support::Untried && is_first(dir) {
        progress::say(&format!(
            "  warning: {} is Linux {release}, newer than the {} that the driver is known to work \
             with; trying it",
            dir.display(),
            releases[0]
        ));
    }
    Ok(support)
}

/// Whether the tree is asked for the first time in this run.
fn is_first(dir: &Path) -> bool {
    static SEEN: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    seen.insert(dir.to_owned())
}

/// Compares a release with the supported ones, the newest first.
fn judge(supported: &[Release], release: Release) -> Result<Support> {
    let newest = *supported.first().context("no release is supported")?;
    if supported.contains(&release) {
        return Ok(Support::Full);
    }
    if release < newest {
        let names: Vec<_> = supported.iter().map(Release::to_string).collect();
        bail!(
            "it is Linux {release}, and the driver is for {}",
            names.join(", ")
        );
    }
    Ok(Support::Untried)
}

/// Returns the release that the Makefile at the root of a kernel's source says.
pub(super) fn of_makefile(text: &str) -> Result<Release> {
    let number = |name: &str| {
        text.lines()
            .take(10)
            .find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix('='))
            .and_then(|value| value.trim().parse().ok())
    };
    let (version, patchlevel) = (number("VERSION"), number("PATCHLEVEL"));
    ensure!(
        version.is_some() && patchlevel.is_some(),
        "its Makefile is not that of a Linux kernel"
    );
    Ok(Release {
        version: version.unwrap_or_default(),
        patchlevel: patchlevel.unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::{Release, Support, judge, of_makefile, supported};

    fn release(text: &str) -> Release {
        text.parse().unwrap()
    }

    #[test]
    fn the_table_has_the_newest_first() {
        let releases: Vec<_> = supported().unwrap().iter().map(|it| it.release).collect();
        assert!(!releases.is_empty());
        assert!(releases.is_sorted_by(|newer, older| newer > older));
    }

    #[test]
    fn a_release_is_the_first_two_numbers() {
        assert_eq!(release("7.3.4-1~bpo13+1"), release("7.3"));
        assert_eq!(release("7.4~rc2-1"), release("7.4"));
        assert!(release("7.10") > release("7.9"));
        assert!("linux".parse::<Release>().is_err());
        assert!("7".parse::<Release>().is_err());
    }

    #[test]
    fn what_is_older_is_refused_and_what_is_newer_is_tried() {
        let supported = ["7.5", "7.3"].map(release);
        assert_eq!(judge(&supported, release("7.3")).unwrap(), Support::Full);
        assert_eq!(judge(&supported, release("7.6")).unwrap(), Support::Untried);
        assert_eq!(judge(&supported, release("8.0")).unwrap(), Support::Untried);
        for refused in ["7.2", "6.12", "7.4"] {
            let error = judge(&supported, release(refused)).unwrap_err().to_string();
            assert!(
                error.contains(refused) && error.contains("7.5, 7.3"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_makefile_says_its_release() {
        let text = "# SPDX\nVERSION = 7\nPATCHLEVEL = 4\nSUBLEVEL = 0\nEXTRAVERSION = -rc3\n";
        assert_eq!(of_makefile(text).unwrap(), release("7.4"));
        assert!(of_makefile("all:\n\ttrue\n").is_err());
    }
}
