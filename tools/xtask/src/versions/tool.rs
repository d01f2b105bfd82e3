// SPDX-License-Identifier: GPL-2.0

//! The tools whose versions decide what is found in the tree.

use std::process::Command;

use anyhow::{Context, Result};

/// A tool that is not ours to hold still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    Rustc,
    Clippy,
    Rustfmt,
    Bindgen,
    Clang,
    Shellcheck,
    Qemu,
    VirtmeNg,
    /// The source that kernels are built from, with its checkpatch and its rustfmt configuration.
    Kernel,
}

impl Tool {
    /// Every tool, in the order in which they are shown.
    pub(super) const ALL: [Self; 9] = [
        Self::Rustc,
        Self::Clippy,
        Self::Rustfmt,
        Self::Bindgen,
        Self::Clang,
        Self::Shellcheck,
        Self::Qemu,
        Self::VirtmeNg,
        Self::Kernel,
    ];

    /// Returns the name in files and messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Rustc => "rustc",
            Self::Clippy => "clippy",
            Self::Rustfmt => "rustfmt",
            Self::Bindgen => "bindgen",
            Self::Clang => "clang",
            Self::Shellcheck => "shellcheck",
            Self::Qemu => "qemu",
            Self::VirtmeNg => "virtme-ng",
            Self::Kernel => "kernel",
        }
    }

    /// Returns the program that tells its version, unless it is none.
    fn program(self) -> Option<&'static str> {
        match self {
            Self::Clippy => Some("clippy-driver"),
            Self::Qemu => Some("qemu-system-x86_64"),
            Self::VirtmeNg => Some("vng"),
            Self::Kernel => None,
            _ => Some(self.name()),
        }
    }

    /// Asks the tool for its version. Gives nothing for the kernel, which is not asked this way.
    pub(super) fn ask(self) -> Result<Option<String>> {
        let Some(program) = self.program() else {
            return Ok(None);
        };
        let output = Command::new(program)
            .arg("--version")
            .output()
            .with_context(|| format!("cannot run {program}"))?;
        let said = String::from_utf8_lossy(&output.stdout);
        let version = version(&said).with_context(|| format!("{program} tells no version"))?;
        Ok(Some(version.to_owned()))
    }
}

/// Returns the version in what a program says about itself: the first word that begins with a
/// digit.
fn version(said: &str) -> Option<&str> {
    said.split_whitespace()
        .find(|word| word.starts_with(|first: char| first.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn the_version_is_the_first_word_that_begins_with_a_digit() {
        for (said, expected) in [
            ("rustc 1.97.1 (8bab26f4f 2026-07-14)\n", "1.97.1"),
            ("QEMU emulator version 11.1.3 (Debian 1:11.1.3)\n", "11.1.3"),
            (
                "Debian clang version 19.1.7 (3+b1)\nTarget: x86_64\n",
                "19.1.7",
            ),
            (
                "ShellCheck - shell script analysis tool\nversion: 0.10.0\nlicense: 3\n",
                "0.10.0",
            ),
        ] {
            assert_eq!(version(said), Some(expected));
        }
        assert_eq!(version("no number"), None);
    }
}
