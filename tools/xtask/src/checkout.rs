// SPDX-License-Identifier: GPL-2.0

//! The files of the checkout.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

/// The one hidden file that is a source.
const CI: &str = ".ci/run";

/// Returns the files of the checkout by their paths in it, sorted, without what is built or
/// hidden.
pub(crate) fn files(src: &Path) -> Result<Vec<PathBuf>> {
    let mut files = vec![PathBuf::from(CI)];
    let mut dirs = vec![PathBuf::new()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(src.join(&dir))? {
            let entry = entry?;
            let name = entry.file_name();
            let path = dir.join(&name);
            let built = path == Path::new("out") || path == Path::new("target");
            if built || name.to_string_lossy().starts_with('.') {
                continue;
            }
            match entry.file_type()?.is_dir() {
                true => dirs.push(path),
                false => files.push(path),
            }
        }
    }
    files.retain(|file| src.join(file).is_file());
    files.sort();
    Ok(files)
}
