// SPDX-License-Identifier: GPL-2.0

//! The kernel's source: the newest that the distribution's package offers when
//! none is cached, what is cached from then on.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};

use crate::lock::Lock;
use crate::paths::Paths;
use crate::progress;
use crate::step::Step;

const PACKAGE: &str = "linux-source-7.3";
/// Where apt keeps the lists of packages.
const LISTS: &str = "/var/lib/apt/lists";
/// Tells when they were fetched last. It is the root's, as they are.
const STAMP: &str = "/var/lib/apt/updated-by-xtask";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How many files the kernel has, roughly.
const FILES: u64 = 100_000;

/// An unpacked source.
pub(crate) struct Tree {
    /// The package's version.
    pub(crate) version: String,
    /// Where it is.
    pub(crate) dir: PathBuf,
}

/// Gives the source, unpacked if it is not there.
pub(crate) fn tree(paths: &Paths) -> Result<Tree> {
    let home = paths.cache.join("linux");
    fs::create_dir_all(&home)?;
    let _lock = Lock::exclusive(&paths.cache.join("lock/linux"))?;
    let cached = cached(&home)?;
    refresh(paths, cached.is_some())?;
    let offered = offered()?;
    match (cached, offered) {
        (Some(tree), None) => {
            progress::say(&format!(
                "  {PACKAGE} is offered no more; going on with the cached {}",
                tree.version
            ));
            Ok(tree)
        }
        (Some(tree), Some(offered)) => {
            if offered != tree.version {
                progress::say(&format!(
                    "  {PACKAGE} is at {offered} now; going on with the cached {} (remove {} to change)",
                    tree.version,
                    tree.dir.display()
                ));
            }
            Ok(tree)
        }
        (None, Some(offered)) => unpack(paths, &home, offered),
        (None, None) => {
            bail!(
                "no repository offers {PACKAGE}, and none is cached; name a kernel build tree by KDIR="
            )
        }
    }
}

fn cached(home: &Path) -> Result<Option<Tree>> {
    let mut versions = vec![];
    for entry in fs::read_dir(home)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        // Names with a dot in front are unfinished.
        if name.starts_with(|first: char| first.is_ascii_digit()) {
            versions.push(name);
        }
    }
    versions.sort();
    Ok(versions.pop().map(|version| Tree {
        dir: home.join(&version),
        version,
    }))
}

/// Fetches the package lists, at most once a day.
fn refresh(paths: &Paths, cached: bool) -> Result<()> {
    let stamp = Path::new(STAMP);
    let recent = |path: &Path| {
        fs::metadata(path)
            .and_then(|metadata| metadata.modified())
            .ok()
            .and_then(|time| SystemTime::now().duration_since(time).ok())
            .is_some_and(|age| age < DAY)
    };
    // A new root comes with new lists.
    if recent(stamp) || (recent(Path::new(LISTS)) && offered()?.is_some()) {
        return Ok(());
    }
    let step = Step::new(paths, "package lists", "apt-update");
    let mut update = Command::new("apt-get");
    update.args(["-qq", "-o", "APT::Update::Error-Mode=any", "update"]);
    if cached {
        update.args([
            "-o",
            "Acquire::Retries=0",
            "-o",
            "Acquire::http::Timeout=10",
        ]);
    }
    if step.status(&mut update)? {
        File::create(stamp)?;
    } else if cached {
        progress::say("  the package lists cannot be fetched; going on with what is cached");
        File::create(stamp)?;
    } else if offered()?.is_none() {
        bail!("{}", step.failure());
    }
    Ok(())
}

/// The version that the repositories offer.
fn offered() -> Result<Option<String>> {
    let output = Command::new("apt-cache")
        .args(["policy", PACKAGE])
        .output()
        .context("cannot ask apt-cache")?;
    Ok(candidate(&String::from_utf8_lossy(&output.stdout)))
}

fn candidate(policy: &str) -> Option<String> {
    policy
        .lines()
        .find_map(|line| line.trim().strip_prefix("Candidate: "))
        .filter(|&version| version != "(none)")
        .map(str::to_owned)
}

fn unpack(paths: &Paths, home: &Path, version: String) -> Result<Tree> {
    progress::say(&format!("  kernel source: {PACKAGE} {version}"));
    let tmp = home.join(".new");
    if tmp.exists() {
        fs::remove_dir_all(&tmp)?;
    }
    let (deb, tree) = (tmp.join("deb"), tmp.join("tree"));
    fs::create_dir_all(&deb)?;
    fs::create_dir_all(&tree)?;
    Step::new(paths, "kernel source: download", "linux-download").run(
        Command::new("apt-get")
            .args(["download", &format!("{PACKAGE}={version}")])
            .current_dir(&tmp),
    )?;
    let file = fs::read_dir(&tmp)?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .context("apt-get downloaded no package")?;
    Step::new(paths, "kernel source: unpack the package", "linux-deb")
        .run(Command::new("dpkg-deb").arg("-x").args([&file, &deb]))?;
    Step::new(paths, "kernel source: unpack", "linux-tar")
        .expect(FILES)
        .run(
            Command::new("tar")
                .args(["-xvf"])
                .arg(deb.join(format!("usr/src/{PACKAGE}.tar.xz")))
                .args(["--no-same-owner", "--strip-components=1", "-C"])
                .arg(&tree),
        )?;
    let dir = home.join(&version);
    fs::rename(&tree, &dir)?;
    fs::remove_dir_all(&tmp)?;
    Ok(Tree { version, dir })
}

#[cfg(test)]
mod tests {
    use super::candidate;

    #[test]
    fn a_policy_names_its_candidate() {
        let policy = "linux-source-7.3:\n  Installed: (none)\n  Candidate: 7.3.4-1~bpo13+1\n";
        assert_eq!(candidate(policy).as_deref(), Some("7.3.4-1~bpo13+1"));
    }

    #[test]
    fn nothing_offered_is_no_candidate() {
        assert_eq!(
            candidate("p:\n  Installed: (none)\n  Candidate: (none)\n"),
            None
        );
        assert_eq!(candidate(""), None);
    }
}
