// SPDX-License-Identifier: GPL-2.0

//! The driver in a kernel's source: its files, and the lines that name it.

mod check;
mod symbols;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::NamedTempFile;

pub(crate) use self::check::{As, Built, Check};
use crate::paths::Paths;
use crate::sources;

/// The folder of DRM's drivers, in a tree.
const DRM: &str = "drivers/gpu/drm";
/// The folder of DRM's uAPI headers, in a tree as in the checkout.
const UAPI: &str = "include/uapi/drm";
/// The driver's folder, in that of DRM's drivers.
const PLACE: &str = "rust_gpu_ttm";
/// The driver's uAPI header.
const HEADER: &str = "rust_gpu_ttm_drm.h";

/// The files in the folder of DRM's drivers that name the driver, a line of each that the driver's
/// goes after, and the driver's.
const HOOKS: [(&str, &str, &str); 2] = [
    (
        "Kconfig",
        "source \"drivers/gpu/drm/tyr/Kconfig\"",
        "source \"drivers/gpu/drm/rust_gpu_ttm/Kconfig\"",
    ),
    (
        "Makefile",
        "obj-$(CONFIG_DRM_TYR) += tyr/",
        "obj-$(CONFIG_DRM_RUST_GPU_TTM) += rust_gpu_ttm/",
    ),
];

/// The folders of a kernel's source that the driver is put into.
pub(crate) struct Folders {
    drm: PathBuf,
    uapi: PathBuf,
}

impl Folders {
    /// Returns those of the tree `root`.
    pub(crate) fn of(root: &Path) -> Self {
        Self {
            drm: root.join(DRM),
            uapi: root.join(UAPI),
        }
    }
}

/// Copies the driver to its place and hooks it up. Returns the place.
pub(crate) fn put(paths: &Paths, folders: &Folders) -> Result<PathBuf> {
    let to = folders.drm.join(PLACE);
    fs::create_dir_all(&to).with_context(|| format!("cannot make {}", to.display()))?;
    sources::sync(paths, &to)?;
    let header = fs::read_to_string(paths.src.join(UAPI).join(HEADER))?;
    write(&folders.uapi.join(HEADER), &header)?;
    for (file, neighbour, line) in HOOKS {
        let file = folders.drm.join(file);
        let text =
            fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        write(&file, &hooked(&text, neighbour, line))?;
    }
    Ok(to)
}

/// Makes `file` have that text, unless it has. It becomes another file: trees that are copies of
/// each other may share their files.
fn write(file: &Path, text: &str) -> Result<()> {
    if fs::read_to_string(file).is_ok_and(|present| present == text) {
        return Ok(());
    }
    let replace = || -> Result<()> {
        let mut new = NamedTempFile::new_in(file.parent().unwrap_or(file))?;
        new.write_all(text.as_bytes())?;
        let permissions = match fs::metadata(file) {
            Ok(old) => old.permissions(),
            Err(_) => std::os::unix::fs::PermissionsExt::from_mode(0o644),
        };
        new.as_file().set_permissions(permissions)?;
        new.persist(file)?;
        Ok(())
    };
    replace().with_context(|| format!("cannot write {}", file.display()))
}

/// Returns the text with `line` after the line `neighbour`, or at its end; as it is if it has it.
fn hooked(text: &str, neighbour: &str, line: &str) -> String {
    let mut lines: Vec<_> = text.lines().collect();
    if lines.contains(&line) {
        return text.to_owned();
    }
    let at = lines.iter().position(|&present| present == neighbour);
    lines.insert(at.map_or(lines.len(), |at| at + 1), line);
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{hooked, write};

    #[test]
    fn a_hook_is_put_after_its_neighbour_once() {
        let once = hooked("a\nb\nc\n", "b", "x");
        assert_eq!(once, "a\nb\nx\nc\n");
        assert_eq!(hooked(&once, "b", "x"), once);
    }

    #[test]
    fn without_the_neighbour_it_goes_to_the_end() {
        assert_eq!(hooked("a\n", "b", "x"), "a\nx\n");
    }

    #[test]
    fn a_file_that_another_tree_shares_is_not_changed_in_that() {
        let dir = tempfile::tempdir().unwrap();
        let [ours, theirs] = ["ours", "theirs"].map(|name| dir.path().join(name));
        fs::write(&theirs, "a\n").unwrap();
        fs::hard_link(&theirs, &ours).unwrap();
        write(&ours, "a\n").unwrap();
        write(&ours, "b\n").unwrap();
        assert_eq!(fs::read_to_string(&ours).unwrap(), "b\n");
        assert_eq!(fs::read_to_string(&theirs).unwrap(), "a\n");
    }
}
