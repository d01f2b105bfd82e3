// SPDX-License-Identifier: GPL-2.0

//! A memory cgroup for a test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process;

use anyhow::{Context, Result};

const ROOT: &str = "/sys/fs/cgroup";

/// Sees that there are cgroups; gives their root.
pub(crate) fn mount_cgroups() -> Result<&'static Path> {
    let root = Path::new(ROOT);
    if !root.join("cgroup.controllers").exists() {
        // SAFETY: All strings are terminated.
        let done = unsafe {
            libc::mount(
                c"none".as_ptr(),
                c"/sys/fs/cgroup".as_ptr(),
                c"cgroup2".as_ptr(),
                0,
                std::ptr::null(),
            )
        };
        if done != 0 {
            return Err(std::io::Error::last_os_error()).context("mounting cgroup2");
        }
    }
    Ok(root)
}

/// Puts this process into a cgroup.
pub(crate) fn enter_cgroup(group: &Path) -> Result<()> {
    let file = group.join("cgroup.procs");
    fs::write(&file, process::id().to_string()).with_context(|| format!("{}", file.display()))
}

/// A memory cgroup, removed when dropped.
pub(crate) struct MemoryGroup(PathBuf);

impl MemoryGroup {
    /// Makes one, in which this process is from then on.
    pub(crate) fn new() -> Result<Self> {
        let root = mount_cgroups()?;
        fs::write(root.join("cgroup.subtree_control"), "+memory").context("memory controller")?;
        let path = root.join("rgt-memory");
        fs::create_dir(&path).context("making a group")?;
        let group = Self(path);
        enter_cgroup(&group.0)?;
        Ok(group)
    }

    /// Sets the most that it can be charged with.
    pub(crate) fn limit(&self, bytes: u64) -> Result<()> {
        fs::write(self.0.join("memory.max"), bytes.to_string()).context("memory.max")
    }

    /// Bytes that it is charged with.
    pub(crate) fn charged(&self) -> Result<u64> {
        self.number("memory.current")
    }

    /// The most bytes that it was ever charged with.
    pub(crate) fn peak(&self) -> Result<u64> {
        self.number("memory.peak")
    }

    /// How often it would have been charged with more than its limit, and gave memory up.
    pub(crate) fn limited(&self) -> Result<u64> {
        let text = fs::read_to_string(self.0.join("memory.events"))?;
        let count = text.lines().find_map(|line| line.strip_prefix("max "));
        Ok(count.context(text.clone())?.parse()?)
    }

    fn number(&self, file: &str) -> Result<u64> {
        let text = fs::read_to_string(self.0.join(file)).with_context(|| file.to_owned())?;
        Ok(text.trim().parse()?)
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        let _ = enter_cgroup(Path::new(ROOT));
        let _ = fs::remove_dir(&self.0);
    }
}
