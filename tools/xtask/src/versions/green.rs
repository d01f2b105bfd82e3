// SPDX-License-Identifier: GPL-2.0

//! Whole runs without a failure, kept in the cache with the tree and the versions that they were
//! of: what `make record-versions` goes by.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::{FILE, Versions};
use crate::checkout;
use crate::paths::Paths;

/// A run that has to be green before versions are recorded.
#[derive(Clone, Copy)]
pub(crate) enum Whole {
    /// `make lint`, without a finding of another version's.
    Lint,
    /// `make test` of every suite.
    Test,
}

impl Whole {
    /// Every such run.
    pub(crate) const ALL: [Self; 2] = [Self::Lint, Self::Test];

    fn name(self) -> &'static str {
        match self {
            Self::Lint => "lint",
            Self::Test => "test",
        }
    }

    fn file(self, paths: &Paths) -> PathBuf {
        paths.cache.join("green").join(self.name())
    }
}

/// A whole run that is under way.
pub(crate) struct Run<'a> {
    paths: &'a Paths,
    whole: Whole,
    versions: &'a Versions,
    state: String,
}

impl<'a> Run<'a> {
    /// Begins a run: an earlier one counts no more.
    pub(crate) fn begin(paths: &'a Paths, whole: Whole, versions: &'a Versions) -> Result<Self> {
        let file = whole.file(paths);
        match fs::remove_file(&file) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", file.display()))?;
            }
            _ => (),
        }
        Ok(Self {
            paths,
            whole,
            versions,
            state: state(paths, versions)?,
        })
    }

    /// Keeps that the run was green, unless the tree was changed under it.
    pub(crate) fn keep(&self) -> Result<()> {
        if state(self.paths, self.versions)? != self.state {
            return Ok(());
        }
        let file = self.whole.file(self.paths);
        fs::create_dir_all(self.paths.cache.join("green"))?;
        fs::write(&file, &self.state).with_context(|| format!("cannot write {}", file.display()))
    }
}

/// Fails unless the last `whole` run was green, with this tree and these versions.
pub(crate) fn require(paths: &Paths, whole: Whole, versions: &Versions) -> Result<()> {
    let name = whole.name();
    let kept = fs::read_to_string(whole.file(paths)).ok();
    let kept = kept.with_context(|| format!("no whole green `make {name}` is known; run it"))?;
    let state = state(paths, versions)?;
    let change = kept
        .lines()
        .find(|line| !state.lines().any(|now| now == *line))
        .or_else(|| {
            state
                .lines()
                .find(|line| !kept.lines().any(|then| then == *line))
        });
    ensure!(
        kept == state,
        "the last green `make {name}` was of another tree or of other versions (first: {}); run it",
        change.unwrap_or("their order")
    );
    Ok(())
}

/// Returns the versions and the content of the tree. The recorded versions are no part of it:
/// what they become must not change what they are of.
fn state(paths: &Paths, versions: &Versions) -> Result<String> {
    let mut files = checkout::files(&paths.src)?;
    files.retain(|file| file.to_str() != Some(FILE));
    let output = Command::new("sha256sum")
        .arg("--")
        .args(files)
        .current_dir(&paths.src)
        .output()
        .context("cannot run sha256sum")?;
    ensure!(
        output.status.success(),
        "cannot read the checkout: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(versions.text() + &String::from_utf8_lossy(&output.stdout))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::{Run, Whole, require};
    use crate::options::Options;
    use crate::paths::Paths;
    use crate::versions::{FILE, Versions, parse};

    fn versions(rustc: &str) -> Versions {
        Versions {
            recorded: vec![],
            running: parse(&format!("rustc {rustc}\n")).unwrap(),
        }
    }

    fn paths(dir: &Path) -> Paths {
        let src = dir.join("src");
        fs::create_dir_all(src.join("tools")).unwrap();
        fs::write(src.join("driver.rs"), "one").unwrap();
        Paths {
            src,
            cache: dir.join("cache"),
            kdir: None,
            ksrc: None,
            driver: None,
            options: Options::default(),
        }
    }

    #[test]
    fn a_green_run_holds_for_its_tree_and_its_versions() {
        let dir = tempfile::tempdir().unwrap();
        let paths = paths(dir.path());
        let now = versions("1.97.1");
        assert!(require(&paths, Whole::Test, &now).is_err());
        Run::begin(&paths, Whole::Test, &now)
            .unwrap()
            .keep()
            .unwrap();
        require(&paths, Whole::Test, &now).unwrap();

        // Recorded versions change neither.
        fs::write(paths.src.join(FILE), "rustc 1.97.1\n").unwrap();
        require(&paths, Whole::Test, &now).unwrap();

        let error = require(&paths, Whole::Test, &versions("1.98.0")).unwrap_err();
        assert!(error.to_string().contains("rustc 1.97.1"), "{error}");
        assert!(require(&paths, Whole::Lint, &now).is_err());

        fs::write(paths.src.join("driver.rs"), "two").unwrap();
        let error = require(&paths, Whole::Test, &now).unwrap_err();
        assert!(error.to_string().contains("driver.rs"), "{error}");
        fs::write(paths.src.join("driver.rs"), "one").unwrap();
        fs::write(paths.src.join("new.rs"), "").unwrap();
        let error = require(&paths, Whole::Test, &now).unwrap_err();
        assert!(error.to_string().contains("new.rs"), "{error}");
    }

    #[test]
    fn a_run_is_not_kept_when_it_fails_or_its_tree_changes() {
        let dir = tempfile::tempdir().unwrap();
        let paths = paths(dir.path());
        let now = versions("1.97.1");
        Run::begin(&paths, Whole::Lint, &now)
            .unwrap()
            .keep()
            .unwrap();
        // The next one fails.
        let run = Run::begin(&paths, Whole::Lint, &now).unwrap();
        assert!(require(&paths, Whole::Lint, &now).is_err());
        // Or would be green, but of what?
        fs::write(paths.src.join("driver.rs"), "two").unwrap();
        run.keep().unwrap();
        assert!(require(&paths, Whole::Lint, &now).is_err());
    }
}
