// SPDX-License-Identifier: GPL-2.0

//! `make intree`: the driver in a kernel tree.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};

use crate::paths::Paths;
use crate::progress::show;
use crate::sources;

/// The driver's folder, in the tree.
const PLACE: &str = "drivers/gpu/drm/rust_gpu_ttm";
/// Where the tree's uAPI headers of DRM are, and where ours is here.
const UAPI: &str = "include/uapi/drm";
const HEADER: &str = "rust_gpu_ttm_drm.h";

const SOURCE: &str = "source \"drivers/gpu/drm/rust_gpu_ttm/Kconfig\"";
const OBJECT: &str = "obj-$(CONFIG_DRM_RUST_GPU_TTM) += rust_gpu_ttm/";

/// Copies the driver to its place in the tree and hooks it up.
pub(crate) fn intree(paths: &Paths, ksrc: &Path) -> Result<ExitCode> {
    let drm = ksrc.join("drivers/gpu/drm");
    ensure!(
        drm.join("tyr").is_dir() && ksrc.join("rust/kernel").is_dir(),
        "KSRC: {} is not the root of a Linux 7.3 tree",
        ksrc.display()
    );
    let to = ksrc.join(PLACE);
    fs::create_dir_all(&to)?;
    sources::sync(paths, &to)?;
    let header = ksrc.join(UAPI).join(HEADER);
    let text = fs::read(paths.src.join(UAPI).join(HEADER))?;
    if fs::read(&header).ok().as_ref() != Some(&text) {
        fs::write(&header, text).with_context(|| format!("cannot write {}", header.display()))?;
    }
    hook(
        &drm.join("Kconfig"),
        "source \"drivers/gpu/drm/tyr/Kconfig\"",
        SOURCE,
    )?;
    hook(
        &drm.join("Makefile"),
        "obj-$(CONFIG_DRM_TYR) += tyr/",
        OBJECT,
    )?;
    show(&format!(
        "{} holds the driver: enable CONFIG_DRM_RUST_GPU_TTM",
        to.display()
    ));
    Ok(ExitCode::SUCCESS)
}

/// Puts `line` after the line `neighbour`, unless it is there.
fn hook(file: &Path, neighbour: &str, line: &str) -> Result<()> {
    let text =
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let Some(hooked) = hooked(&text, neighbour, line) else {
        return Ok(());
    };
    fs::write(file, hooked).with_context(|| format!("cannot write {}", file.display()))
}

fn hooked(text: &str, neighbour: &str, line: &str) -> Option<String> {
    if text.lines().any(|present| present == line) {
        return None;
    }
    let mut lines: Vec<_> = text.lines().collect();
    let at = lines.iter().position(|&present| present == neighbour);
    lines.insert(at.map_or(lines.len(), |at| at + 1), line);
    Some(lines.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use super::hooked;

    #[test]
    fn a_hook_is_put_after_its_neighbour_once() {
        let once = hooked("a\nb\nc\n", "b", "x").unwrap();
        assert_eq!(once, "a\nb\nx\nc\n");
        assert_eq!(hooked(&once, "b", "x"), None);
    }

    #[test]
    fn without_the_neighbour_it_goes_to_the_end() {
        assert_eq!(hooked("a\n", "b", "x").unwrap(), "a\nx\n");
    }
}
