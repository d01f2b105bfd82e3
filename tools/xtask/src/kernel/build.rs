// SPDX-License-Identifier: GPL-2.0

//! Configuring and building a kernel beside its source.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::available_parallelism;

use anyhow::{Context, Result, ensure};

use super::Flavour;
use super::versions::Release;
use crate::paths::Paths;
use crate::step::Step;

/// How many lines the build writes, roughly.
const LINES: u64 = 2400;

/// A build of one kernel.
pub(super) struct Build<'a> {
    pub(super) paths: &'a Paths,
    /// The source, which is not written to.
    pub(super) source: &'a Path,
    /// Where it is built.
    pub(super) dir: &'a Path,
    /// Names it in messages.
    pub(super) title: &'a str,
    /// Names its logs.
    pub(super) key: &'a str,
}

impl Build<'_> {
    /// Configures it by allnoconfig and `fragment`, and returns the wanted options that it does not
    /// have. A configuration that stays as it was is not written again.
    pub(super) fn configure(&self, fragment: &str) -> Result<Vec<String>> {
        fs::write(self.dir.join("fragment"), fragment)?;
        Step::new(
            self.paths,
            &format!("{} kernel: configure", self.title),
            &format!("config-{}", self.key),
        )
        .run(
            self.make()
                .arg("allnoconfig")
                .env("KCONFIG_ALLCONFIG", self.dir.join("fragment")),
        )?;
        let config = fs::read_to_string(self.dir.join(".config"))?;
        let refused = refused(fragment, &config);
        Ok(refused.into_iter().map(str::to_owned).collect())
    }

    /// Builds what is not up to date.
    pub(super) fn run(&self) -> Result<()> {
        let jobs = available_parallelism().map_or(1, |cpus| cpus.get()) + 1;
        Step::new(
            self.paths,
            &format!("{} kernel: build", self.title),
            &format!("kernel-{}", self.key),
        )
        .expect(LINES)
        .run(
            self.make()
                .arg(format!("-j{jobs}"))
                .args(["bzImage", "modules"]),
        )
    }

    fn make(&self) -> Command {
        let mut make = Command::new("make");
        make.arg("-C").arg(self.source);
        make.arg(format!("O={}", self.dir.display()));
        // A commit in a tree under git is no other release.
        make.args(["LLVM=1", "LOCALVERSION="]);
        // It is configured for the helpers that it selects.
        make.arg("CONFIG_DRM_XE=");
        make
    }
}

/// Returns the options that a flavour's configuration is made from: its own, and then, if there are
/// some, those of the release.
///
/// `src` is the checkout.
pub(super) fn fragment(src: &Path, flavour: Flavour, release: Release) -> Result<String> {
    let dir = src.join("tools/kernel");
    let own = flavour.fragments().iter().map(|file| dir.join(file));
    let of_release = dir.join(format!("{release}.config"));
    let mut fragment = String::new();
    for file in own.chain(of_release.exists().then_some(of_release)) {
        fragment += &fs::read_to_string(&file)
            .with_context(|| format!("cannot read {}", file.display()))?;
    }
    Ok(fragment)
}

/// Gives an error unless the configuration has all that was wanted.
pub(super) fn all_taken(title: &str, refused: &[String]) -> Result<()> {
    ensure!(
        refused.is_empty(),
        "the {title} kernel's configuration does not take {}",
        refused.join(", ")
    );
    Ok(())
}

/// The wanted options that the configuration does not have.
fn refused<'a>(fragment: &'a str, config: &str) -> Vec<&'a str> {
    let has = |wanted: &str| config.lines().any(|line| line == wanted);
    let names = |option: &str| {
        let assignment = format!("{option}=");
        config.lines().any(|line| line.starts_with(&assignment))
    };
    fragment
        .lines()
        .filter(|line| line.starts_with("CONFIG_"))
        .filter(|line| match line.strip_suffix("=n") {
            Some(option) => names(option),
            None => !has(line),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{fragment, refused};
    use crate::kernel::Flavour;

    #[test]
    fn a_release_may_have_options_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let configs = dir.path().join("tools/kernel");
        fs::create_dir_all(&configs).unwrap();
        for (file, option) in [("common", "A"), ("debug", "B"), ("7.4", "C")] {
            let file = configs.join(format!("{file}.config"));
            fs::write(file, format!("CONFIG_{option}=y\n")).unwrap();
        }
        let of = |flavour, release: &str| fragment(dir.path(), flavour, release.parse().unwrap());
        assert_eq!(of(Flavour::Plain, "7.3").unwrap(), "CONFIG_A=y\n");
        assert_eq!(
            of(Flavour::Debug, "7.4").unwrap(),
            "CONFIG_A=y\nCONFIG_B=y\nCONFIG_C=y\n"
        );
    }

    #[test]
    fn options_are_compared_with_what_became_of_them() {
        let fragment = "# comment\nCONFIG_A=y\nCONFIG_B=n\nCONFIG_C=m\nCONFIG_D=17\n";
        assert_eq!(
            refused(fragment, "CONFIG_A=y\nCONFIG_C=m\nCONFIG_D=17\n"),
            [""; 0]
        );
        assert_eq!(
            refused(fragment, "CONFIG_A=y\nCONFIG_B=y\nCONFIG_C=y\n"),
            ["CONFIG_B=n", "CONFIG_C=m", "CONFIG_D=17"]
        );
    }

    #[test]
    fn an_option_is_not_taken_for_one_that_begins_like_it() {
        assert_eq!(refused("CONFIG_A=n\n", "CONFIG_AB=y\n"), [""; 0]);
    }
}
