// SPDX-License-Identifier: GPL-2.0

//! Kernels of a source of the caller's, which is edited between runs: `make` says what there
//! is to build, each time. Each tree has a folder of its own in the cache, and is only read.

use std::collections::BTreeSet;
use std::fs;
use std::hash::Hasher;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail, ensure};
use fnv::FnvHasher;

use super::build::{self, Build};
use super::source::Tree;
use super::versions::{self, Release, Support};
use super::{Flavour, Kernel};
use crate::lock::Lock;
use crate::paths::Paths;
use crate::progress;

/// The file that says which tree a folder in the cache belongs to.
const PATH: &str = "path";

/// Files that a tree has to have for the driver.
const NEEDED: [&str; 2] = ["CONFIG_RUST=y", "CONFIG_DRM=y"];

/// Files that a build in place leaves in a source, which keep it from being built elsewhere.
const BUILT: [&str; 3] = [".config", "include/config", "arch/x86/include/generated"];

/// The kernels that this run has built: for the rest of it, they are what they are.
static DONE: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Returns the source `ksrc` as a tree, if the driver is for it.
pub(super) fn tree(ksrc: &Path) -> Result<Tree> {
    check(ksrc)?;
    Ok(Tree {
        version: ksrc.display().to_string(),
        dir: ksrc.to_owned(),
    })
}

/// Gives the kernel of the source `ksrc`, built where something changed since the last run.
pub(super) fn ensure(paths: &Paths, ksrc: &Path, flavour: Flavour) -> Result<Kernel> {
    let ksrc =
        &fs::canonicalize(ksrc).with_context(|| format!("KSRC: there is no {}", ksrc.display()))?;
    let Home { dir: home, hash } = Home::of(paths, ksrc);
    let title = flavour.name();
    let key = format!("{title}-{hash}");
    let dir = home.join(format!("kernel-{title}"));
    let lock = paths.cache.join(format!("lock/kernel-{key}"));

    let mut done = DONE.lock().unwrap_or_else(PoisonError::into_inner);
    if !done.contains(&dir) {
        let support = check(ksrc)?;
        let _alone = Lock::exclusive(&lock)?;
        progress::say(&format!("  {title} kernel: {}", ksrc.display()));
        record(&home, ksrc)?;
        fs::create_dir_all(&dir)?;
        let build = Build {
            paths,
            source: ksrc,
            dir: &dir,
            title,
            key: &key,
        };
        let refused = build.configure(&build::fragment(&paths.src, flavour, release(ksrc)?)?)?;
        judge(title, support, &refused)?;
        build.run()?;
        done.insert(dir.clone());
    }
    Ok(Kernel {
        dir,
        home,
        title,
        key,
        _lock: Some(Lock::shared(&lock)?),
    })
}

/// The folder, in the cache, of what is built for one tree.
pub(super) struct Home {
    pub(super) dir: PathBuf,
    /// The folder's name, which no other tree's has.
    pub(super) hash: String,
}

impl Home {
    /// Returns that of the tree `path`, there or not.
    pub(super) fn of(paths: &Paths, path: &Path) -> Self {
        let mut hasher = FnvHasher::default();
        hasher.write(path.as_os_str().as_bytes());
        let hash = format!("{:016x}", hasher.finish());
        Self {
            dir: paths.cache.join("trees").join(&hash),
            hash,
        }
    }
}

/// Makes the folder `home`, with a note that it is that of the tree `path`.
pub(super) fn record(home: &Path, path: &Path) -> Result<()> {
    fs::create_dir_all(home)?;
    fs::write(home.join(PATH), format!("{}\n", path.display()))
        .with_context(|| format!("cannot write {}", home.display()))
}

/// Returns the release of the source `ksrc`.
fn release(ksrc: &Path) -> Result<Release> {
    let makefile = fs::read_to_string(ksrc.join("Makefile")).unwrap_or_default();
    versions::of_makefile(&makefile).with_context(|| {
        format!(
            "KSRC: {} is not the root of a kernel's source",
            ksrc.display()
        )
    })
}

/// Checks that `ksrc` is a source that the driver is for.
pub(super) fn support(ksrc: &Path) -> Result<Support> {
    versions::check(ksrc, release(ksrc)?)
}

/// Checks that `ksrc` is a source that the driver is for, and can be built elsewhere.
fn check(ksrc: &Path) -> Result<Support> {
    let support = support(ksrc)?;
    ensure!(
        !BUILT.iter().any(|built| ksrc.join(built).exists()),
        "KSRC: {0} was built in place, and only a clean tree can be built elsewhere: \
         make mrproper there, or KDIR={0} for the kernel that was built",
        ksrc.display()
    );
    Ok(support)
}

/// Tells about options that a tree does not have: an error where it has to.
fn judge(title: &str, support: Support, refused: &[String]) -> Result<()> {
    if refused.iter().any(|option| option == NEEDED[0]) {
        bail!(
            "the tree does not take {}: it, or a tool that it asks for, is not here; \
             tools/root.sh exec make -C TREE LLVM=1 rustavailable says more",
            NEEDED[0]
        );
    }
    if refused
        .iter()
        .any(|option| NEEDED.contains(&option.as_str()))
    {
        return build::all_taken(title, refused);
    }
    if !refused.is_empty() {
        let release = match support {
            Support::Full => "the tree",
            Support::Untried => "this newer release",
        };
        progress::say(&format!(
            "  warning: {release} does not take {}; what needs that does not work",
            refused.join(", ")
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Home, check, judge, record};
    use crate::kernel::versions::{Support, supported};
    use crate::options::Options;
    use crate::paths::Paths;

    fn source(release: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let (version, patchlevel) = release.split_once('.').unwrap();
        let makefile = format!("VERSION = {version}\nPATCHLEVEL = {patchlevel}\nSUBLEVEL = 0\n");
        fs::write(dir.path().join("Makefile"), makefile).unwrap();
        dir
    }

    #[test]
    fn a_tree_has_one_folder_that_names_it() {
        let cache = tempfile::tempdir().unwrap();
        let paths = Paths {
            src: cache.path().to_owned(),
            cache: cache.path().to_owned(),
            kdir: None,
            ksrc: None,
            driver: None,
            options: Options::default(),
        };
        let home = |path: &str| Home::of(&paths, path.as_ref());
        let one = home("/a/linux");
        assert_ne!(one.dir, home("/b/linux").dir);
        assert_eq!(one.dir, home("/a/linux").dir);
        assert!(one.dir.ends_with(&one.hash) && !one.dir.exists());
        record(&one.dir, "/a/linux".as_ref()).unwrap();
        let recorded = fs::read_to_string(one.dir.join("path")).unwrap();
        assert_eq!(recorded, "/a/linux\n");
    }

    #[test]
    fn only_a_clean_source_of_a_release_that_is_not_too_old_is_taken() {
        let newest = supported().unwrap()[0].release.to_string();
        let tree = source(&newest);
        assert_eq!(check(tree.path()).unwrap(), Support::Full);
        fs::write(tree.path().join(".config"), "").unwrap();
        let error = check(tree.path()).unwrap_err().to_string();
        assert!(error.contains("built in place"), "{error}");

        assert_eq!(check(source("99.0").path()).unwrap(), Support::Untried);
        assert!(check(source("6.1").path()).is_err());
        assert!(check(tempfile::tempdir().unwrap().path()).is_err());
    }

    #[test]
    fn what_the_driver_needs_is_an_error_and_the_rest_a_warning() {
        let refused = |options: &[&str]| {
            let options: Vec<_> = options.iter().map(|&option| option.to_owned()).collect();
            judge("plain", Support::Full, &options)
        };
        assert!(refused(&[]).is_ok());
        assert!(refused(&["CONFIG_TEST_HMM=m"]).is_ok());
        assert!(refused(&["CONFIG_TEST_HMM=m", "CONFIG_DRM=y"]).is_err());
        assert!(refused(&["CONFIG_RUST=y"]).is_err());
    }
}
