// SPDX-License-Identifier: GPL-2.0

//! The driver's nodes, for all users.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rgt::Device;

/// The nodes, which all users may open until this is dropped.
pub(super) struct Nodes(Vec<PathBuf>);

impl Nodes {
    pub(super) fn open_to_all() -> Result<Self> {
        let render = Device::open()?.path().to_owned();
        let name = render.file_name().context("a node's name")?;
        let siblings = Path::new("/sys/class/drm").join(name).join("device/drm");
        let mut nodes = vec![];
        for entry in fs::read_dir(siblings)? {
            nodes.push(Path::new("/dev/dri").join(entry?.file_name()));
        }
        // The render node is the first.
        nodes.sort_by_key(|node| *node != render);
        for node in &nodes {
            fs::set_permissions(node, Permissions::from_mode(0o666))?;
        }
        Ok(Self(nodes))
    }

    /// The nodes, the render node first.
    pub(super) fn all(&self) -> &[PathBuf] {
        &self.0
    }

    /// The render node.
    pub(super) fn render(&self) -> &Path {
        &self.0[0]
    }

    /// Whether a process of a user has one of them open.
    pub(super) fn are_open_by(&self, user: u32) -> Result<bool> {
        for process in fs::read_dir("/proc")? {
            let process = process?.path();
            if process.metadata().is_ok_and(|it| it.uid() == user) {
                // It may end at any time.
                let files = fs::read_dir(process.join("fd")).into_iter().flatten();
                let mut targets = files.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
                if targets.any(|target| self.0.contains(&target)) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        for node in &self.0 {
            // A device that is gone has no node.
            let _ = fs::set_permissions(node, Permissions::from_mode(0o600));
        }
    }
}
