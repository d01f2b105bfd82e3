// SPDX-License-Identifier: GPL-2.0

//! cgroups of this test, and who is in them.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::harness::Outcome;
use crate::rig::{enter_cgroup, mount_cgroups};

const ROOT: &str = "/sys/fs/cgroup";
/// The parent of all groups of this test. TTM protects no group from one with no common parent but
/// the root.
const PARENT: &str = "/sys/fs/cgroup/rgt";

/// How long a group that was left may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// A group with the dmem controller, removed when dropped.
pub(in super::super) struct Group {
    path: PathBuf,
    region: String,
}

impl Group {
    /// Makes a group.
    pub(in super::super) fn new(name: &str) -> Result<Self> {
        let region = prepare()?;
        let path = Path::new(PARENT).join(name);
        fs::create_dir(&path).with_context(|| format!("making the group {name}"))?;
        Ok(Self { path, region })
    }

    /// Runs `work` as a member: what it allocates is charged to the group.
    pub(in super::super) fn run<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        enter_cgroup(&self.path)?;
        let done = work();
        enter_cgroup(Path::new(ROOT))?;
        done
    }

    /// Limits VRAM to so many bytes.
    pub(in super::super) fn limit(&self, bytes: u64) -> Outcome {
        self.set(&self.path, "max", bytes)
    }

    /// Protects VRAM by `min` or `low`. The only group to do so has all that the parent passes on.
    pub(in super::super) fn protect(&self, how: &str, bytes: u64) -> Outcome {
        self.set(Path::new(PARENT), how, bytes)?;
        self.set(&self.path, how, bytes)
    }

    fn set(&self, group: &Path, what: &str, bytes: u64) -> Outcome {
        let file = group.join(format!("dmem.{what}"));
        fs::write(&file, format!("{} {bytes}", self.region))
            .with_context(|| format!("setting {}", file.display()))
    }

    /// Bytes of VRAM that are charged to the group.
    pub(in super::super) fn current(&self) -> Result<u64> {
        let text = fs::read_to_string(self.path.join("dmem.current"))?;
        number_of(&text, &self.region)
    }

    /// Waits until nothing is charged to the group: memory of the dead may take a moment.
    pub(in super::super) fn wait_until_empty(&self) -> Outcome {
        let deadline = Instant::now() + PATIENCE;
        while self.current()? != 0 {
            ensure!(Instant::now() < deadline, "{} are charged", self.current()?);
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // A test that fails on its way leaves the group before it leaves its memory.
        let _ = enter_cgroup(Path::new(ROOT));
        let _ = fs::remove_dir(&self.path);
    }
}

fn number_of(text: &str, region: &str) -> Result<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(region));
    Ok(line
        .with_context(|| format!("{region} in {text:?}"))?
        .trim()
        .parse()?)
}

/// Sees that there are cgroups with the dmem controller; gives the name of the VRAM's region.
fn prepare() -> Result<String> {
    let root = mount_cgroups()?;
    fs::create_dir_all(PARENT)?;
    for group in [root, Path::new(PARENT)] {
        fs::write(group.join("cgroup.subtree_control"), "+dmem").context("the dmem controller")?;
    }
    let capacity = fs::read_to_string(root.join("dmem.capacity"))?;
    let name = capacity
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .find(|name| name.starts_with("drm/") && name.ends_with("/vram"));
    Ok(name.context("VRAM is no region of dmem")?.to_owned())
}
