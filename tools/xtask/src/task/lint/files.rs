// SPDX-License-Identifier: GPL-2.0

//! Which file is checked by what.

use std::fs;
use std::path::Path;

/// The cargo workspace, which has its own checks.
const CRATES: [&str; 4] = ["softgpu", "tests/guest", "tools", "userspace"];

fn extension(file: &Path) -> &str {
    file.extension()
        .and_then(|extension| extension.to_str())
        .unwrap_or_default()
}

fn of_crates(file: &Path) -> bool {
    CRATES.iter().any(|dir| file.starts_with(dir))
}

/// Rust of the module.
pub(super) fn is_module_rust(file: &Path) -> bool {
    extension(file) == "rs" && !of_crates(file) && !file.ends_with("bindings_generated.rs")
}

/// Returns whether a file is written in the kernel's C style, or configures its build.
pub(super) fn is_kernel_c(file: &Path) -> bool {
    let name = file
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    // Files that a build leaves in the checkout are generated.
    (matches!(extension(file), "c" | "h") && !name.ends_with(".mod.c"))
        || matches!(name, "Kbuild" | "Kconfig")
}

/// Shell scripts.
pub(super) fn is_shell(file: &Path) -> bool {
    let text = fs::read(file).unwrap_or_default();
    let first = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
    first.starts_with(b"#!") && first.ends_with(b"sh")
}
