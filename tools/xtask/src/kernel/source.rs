// SPDX-License-Identifier: GPL-2.0

//! The kernel's source: of the supported releases, the newest that the
//! distribution offers when none is cached, what is cached from then on.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};

use super::versions::{self, Release};
use crate::lock::Lock;
use crate::paths::Paths;
use crate::progress;
use crate::step::Step;

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
    let supported = versions::supported()?;
    let cached = cached(&home, |release| {
        supported.iter().any(|entry| entry.release == release)
    })?;
    let packages: Vec<_> = supported.iter().map(|entry| entry.package).collect();
    refresh(paths, &packages, cached.is_some())?;
    match (cached, offered(&packages)?) {
        (Some(tree), None) => {
            progress::say(&format!(
                "  {} is offered no more; going on with the cached {}",
                packages.join(", "),
                tree.version
            ));
            Ok(tree)
        }
        (Some(tree), Some(offered)) => {
            if offered.version != tree.version {
                progress::say(&format!(
                    "  {} is at {} now; going on with the cached {} (remove {} to change)",
                    offered.package,
                    offered.version,
                    tree.version,
                    tree.dir.display()
                ));
            }
            Ok(tree)
        }
        (None, Some(offered)) => unpack(paths, &home, offered),
        (None, None) => {
            bail!(
                "no repository offers {}, and none is cached; go on with a tree of your own: \
                 KSRC=/path/to/linux builds a source of a supported release, KDIR=/path/to/build \
                 takes a finished build",
                packages.join(", ")
            )
        }
    }
}

/// Returns the newest of the cached trees whose release is `supported`.
fn cached(home: &Path, supported: impl Fn(Release) -> bool) -> Result<Option<Tree>> {
    let mut newest: Option<String> = None;
    for entry in fs::read_dir(home)? {
        let version = entry?.file_name().to_string_lossy().into_owned();
        // Names with a dot in front are unfinished.
        let Ok(release) = version.parse() else {
            continue;
        };
        if !supported(release) {
            progress::say(&format!(
                "  linux {version}, which is cached, is supported no more"
            ));
        } else if newest.as_ref().is_none_or(|it| is_newer(&version, it)) {
            newest = Some(version);
        }
    }
    Ok(newest.map(|version| Tree {
        dir: home.join(&version),
        version,
    }))
}

/// Whether a package's version comes after another one.
fn is_newer(version: &str, than: &str) -> bool {
    Command::new("dpkg")
        .args(["--compare-versions", version, "gt", than])
        .status()
        .is_ok_and(|status| status.success())
}

/// Fetches the package lists, at most once a day.
fn refresh(paths: &Paths, packages: &[&str], cached: bool) -> Result<()> {
    let stamp = Path::new(STAMP);
    let recent = |path: &Path| {
        fs::metadata(path)
            .and_then(|metadata| metadata.modified())
            .ok()
            .and_then(|time| SystemTime::now().duration_since(time).ok())
            .is_some_and(|age| age < DAY)
    };
    // A new root comes with new lists.
    if recent(stamp) || (recent(Path::new(LISTS)) && offered(packages)?.is_some()) {
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
    } else if offered(packages)?.is_none() {
        bail!("{}", step.failure());
    }
    Ok(())
}

/// A package that the repositories have.
struct Offer {
    package: String,
    version: String,
}

/// Returns the first of the packages that the repositories have.
fn offered(packages: &[&str]) -> Result<Option<Offer>> {
    for package in packages {
        let output = Command::new("apt-cache")
            .args(["policy", package])
            .output()
            .context("cannot ask apt-cache")?;
        if let Some(version) = candidate(&String::from_utf8_lossy(&output.stdout)) {
            return Ok(Some(Offer {
                package: (*package).to_owned(),
                version,
            }));
        }
    }
    Ok(None)
}

fn candidate(policy: &str) -> Option<String> {
    policy
        .lines()
        .find_map(|line| line.trim().strip_prefix("Candidate: "))
        .filter(|&version| version != "(none)")
        .map(str::to_owned)
}

fn unpack(paths: &Paths, home: &Path, offer: Offer) -> Result<Tree> {
    let Offer { package, version } = offer;
    progress::say(&format!("  kernel source: {package} {version}"));
    let tmp = home.join(".new");
    if tmp.exists() {
        fs::remove_dir_all(&tmp)?;
    }
    let (deb, tree) = (tmp.join("deb"), tmp.join("tree"));
    fs::create_dir_all(&deb)?;
    fs::create_dir_all(&tree)?;
    Step::new(paths, "kernel source: download", "linux-download").run(
        Command::new("apt-get")
            .args(["download", &format!("{package}={version}")])
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
                .arg(deb.join(format!("usr/src/{package}.tar.xz")))
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
    use std::fs;

    use super::{cached, candidate};

    #[test]
    fn the_newest_supported_tree_is_taken() {
        let home = tempfile::tempdir().unwrap();
        for name in ["7.3.9-1", "7.3.10-1", "7.10.1-1", "6.12.1-1", ".new"] {
            fs::create_dir(home.path().join(name)).unwrap();
        }
        let supported = |releases: &[&str]| {
            let releases: Vec<_> = releases.iter().map(|it| it.parse().unwrap()).collect();
            cached(home.path(), |release| releases.contains(&release))
                .unwrap()
                .map(|tree| tree.version)
        };
        assert_eq!(supported(&["7.3"]).as_deref(), Some("7.3.10-1"));
        assert_eq!(supported(&["7.10", "7.3"]).as_deref(), Some("7.10.1-1"));
        assert_eq!(supported(&["7.4"]), None);
    }

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
