// SPDX-License-Identifier: GPL-2.0

//! All Rust is formatted as the kernel's configuration of rustfmt says.

use std::process::Command;

use anyhow::Result;

use super::check::{Check, Lint, Outcome};
use super::files;
use crate::kernel::Tree;
use crate::versions::Tool;

/// Compares the crates and the module with what rustfmt would write.
pub(super) fn check(lint: &Lint<'_>, tree: &Tree) -> Result<()> {
    let style = tree.dir.join(".rustfmt.toml");
    let check = |name, log| Check {
        name,
        log,
        tools: &[Tool::Rustfmt, Tool::Kernel],
        judge,
    };
    let mut cargo = Command::new("cargo");
    cargo.args(["fmt", "--all", "--check", "--", "--config-path"]);
    lint.run(&check("rustfmt, crates", "fmt-crates"), cargo.arg(&style))?;

    let mut rustfmt = Command::new("rustfmt");
    rustfmt.args(["--check", "--edition", "2021", "--config-path"]);
    rustfmt.arg(&style).args(lint.files(files::is_module_rust));
    lint.run(&check("rustfmt, module", "fmt-module"), &mut rustfmt)
}

/// rustfmt ends in the same way when it would write something else and when it cannot read what
/// is there. It says an error in the latter case alone, at the beginning of a line.
fn judge(code: Option<i32>, log: &str) -> Outcome {
    match code {
        Some(0) => Outcome::Clean,
        Some(1) if !log.lines().any(|line| line.starts_with("error")) => Outcome::Findings,
        _ => Outcome::Broken,
    }
}

#[cfg(test)]
mod tests {
    use super::{Outcome, judge};

    #[test]
    fn a_difference_is_a_finding_and_bad_syntax_is_not() {
        let difference = "Diff in /a.rs:1:\n-fn a( ) {}\n+fn a() {}\n";
        assert_eq!(judge(Some(1), difference), Outcome::Findings);
        let syntax = "error: expected item, found `)`\n --> /a.rs:1:1\n";
        assert_eq!(judge(Some(1), syntax), Outcome::Broken);
        assert_eq!(judge(Some(101), "thread panicked"), Outcome::Broken);
        assert_eq!(judge(None, ""), Outcome::Broken);
        assert_eq!(judge(Some(0), "Warning: unstable"), Outcome::Clean);
    }
}
