// SPDX-License-Identifier: GPL-2.0

//! The versions that the tree was last checked with, and those that run.
//!
//! The toolchain root takes the newest of everything, so a tree that was green may meet a tool
//! that finds more in it. With the recorded versions every finding is a failure; a finding of
//! another version is shown, and is one when that version is recorded.

pub(crate) mod green;
mod tool;

use std::cmp::Ordering;
use std::fmt;
use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};

pub(crate) use self::tool::Tool;
use crate::paths::Paths;
use crate::progress::show;

/// Where versions are recorded, in the checkout.
const FILE: &str = "tools/versions";

const HEAD: &str = "\
# The versions that the tree was last checked with. With these, whatever a check finds is a
# failure; what other versions find is only shown. Written by `make record-versions`, after a
# `make lint` and a whole `make test` without a failure.
";

/// The recorded and the present versions.
pub(crate) struct Versions {
    recorded: Vec<(Tool, String)>,
    running: Vec<(Tool, String)>,
}

/// A tool that runs in another version than the recorded one.
#[derive(Debug)]
pub(crate) struct Other<'a> {
    tool: Tool,
    running: &'a str,
    recorded: Option<&'a str>,
    /// How the running version compares with the recorded one, if there is one.
    order: Ordering,
}

impl Versions {
    /// Asks every tool for its version. `kernel` is that of the kernel's source, where one is in
    /// use.
    pub(crate) fn find(paths: &Paths, kernel: Option<&str>) -> Result<Self> {
        let file = paths.src.join(FILE);
        let text =
            fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let mut running = vec![];
        for tool in Tool::ALL {
            let version = match tool {
                Tool::Kernel => kernel.map(str::to_owned),
                _ => tool.ask()?,
            };
            running.extend(version.map(|version| (tool, version)));
        }
        Ok(Self {
            recorded: parse(&text).with_context(|| file.display().to_string())?,
            running,
        })
    }

    /// Returns those of `tools` that run in another version than the recorded one.
    pub(crate) fn others(&self, tools: &[Tool]) -> Result<Vec<Other<'_>>> {
        let mut others = vec![];
        for (tool, running) in self.running.iter().filter(|(tool, _)| tools.contains(tool)) {
            let recorded = of(&self.recorded, *tool);
            if recorded != Some(running) {
                others.push(Other {
                    tool: *tool,
                    running,
                    recorded,
                    order: match recorded {
                        Some(recorded) => compare(running, recorded)?,
                        None => Ordering::Greater,
                    },
                });
            }
        }
        Ok(others)
    }

    /// Shows which versions run, and which of them are not the recorded ones.
    pub(crate) fn show(&self) -> Result<()> {
        let running: Vec<_> = self
            .running
            .iter()
            .map(|(tool, version)| format!("{} {version}", tool.name()))
            .collect();
        show(&format!("versions: {}", running.join(", ")));
        let others = self.others(&Tool::ALL)?;
        show(&match others.is_empty() {
            true => format!("all as recorded in {FILE}"),
            false => format!(
                "not as recorded in {FILE}, their findings are shown and not counted: {}",
                list(&others)
            ),
        });
        Ok(())
    }

    /// Returns what to say after a failure: which tools may be the reason, as the tests passed with
    /// others.
    pub(crate) fn suspects(&self) -> Result<Option<String>> {
        let others = self.others(&Tool::ALL)?;
        Ok((!others.is_empty()).then(|| {
            format!(
                "the tree was not checked with these, which may be the reason: {}",
                list(&others)
            )
        }))
    }

    /// Returns the running versions for a report.
    pub(crate) fn json(&self) -> serde_json::Value {
        let entry = |(tool, version): &(Tool, String)| (tool.name().to_owned(), version.clone());
        self.running.iter().map(entry).collect()
    }

    /// Returns the running versions as a file has them.
    fn text(&self) -> String {
        self.running
            .iter()
            .map(|(tool, version)| format!("{} {version}\n", tool.name()))
            .collect()
    }

    /// Records the versions that run.
    pub(crate) fn record(&self, paths: &Paths) -> Result<()> {
        let file = paths.src.join(FILE);
        fs::write(&file, format!("{HEAD}\n{}", self.text()))
            .with_context(|| format!("cannot write {}", file.display()))
    }
}

impl fmt::Display for Other<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.tool.name(), self.running)?;
        let Some(recorded) = self.recorded else {
            return f.write_str(" (none is recorded)");
        };
        let age = match self.order {
            Ordering::Greater => "newer",
            Ordering::Less => "older",
            Ordering::Equal => "other",
        };
        write!(f, " ({age} than the recorded {recorded})")
    }
}

/// Returns a list of such tools for a sentence.
pub(crate) fn list(others: &[Other<'_>]) -> String {
    let others: Vec<_> = others.iter().map(Other::to_string).collect();
    others.join(", ")
}

fn of(versions: &[(Tool, String)], tool: Tool) -> Option<&str> {
    versions
        .iter()
        .find(|(of, _)| *of == tool)
        .map(|(_, version)| version.as_str())
}

/// Reads lines of a name and a version.
fn parse(text: &str) -> Result<Vec<(Tool, String)>> {
    let mut versions = vec![];
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<_> = line.split_whitespace().collect();
        let [name, version] = words[..] else {
            ensure!(words.is_empty(), "not a name and a version: {line}");
            continue;
        };
        let tool = Tool::ALL
            .into_iter()
            .find(|tool| tool.name() == name)
            .with_context(|| format!("no version of {name} is asked for"))?;
        ensure!(of(&versions, tool).is_none(), "{name} is there twice");
        versions.push((tool, version.to_owned()));
    }
    Ok(versions)
}

/// Compares two versions the way Debian does, which is right for upstream versions, too. What is
/// no version, as the path of a source is none, comes out as neither newer nor older.
fn compare(one: &str, other: &str) -> Result<Ordering> {
    if !one.starts_with(|first: char| first.is_ascii_digit()) {
        return Ok(Ordering::Equal);
    }
    for (relation, order) in [("gt", Ordering::Greater), ("lt", Ordering::Less)] {
        let status = Command::new("dpkg")
            .args(["--compare-versions", one, relation, other])
            .status()
            .context("cannot run dpkg")?;
        if status.success() {
            return Ok(order);
        }
    }
    Ok(Ordering::Equal)
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use super::{Tool, Versions, compare, list, parse};

    fn versions(recorded: &str, running: &str) -> Versions {
        Versions {
            recorded: parse(recorded).unwrap(),
            running: parse(running).unwrap(),
        }
    }

    #[test]
    fn a_file_has_a_tool_a_line() {
        let parsed = parse("# comment\n\nrustc 1.97.1\nkernel 7.3.4-1~bpo13+1\n").unwrap();
        assert_eq!(
            parsed,
            [
                (Tool::Rustc, "1.97.1".to_owned()),
                (Tool::Kernel, "7.3.4-1~bpo13+1".to_owned())
            ]
        );
        for bad in ["rustc\n", "rustc 1 2\n", "gcc 1\n", "rustc 1\nrustc 1\n"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_runs_is_what_is_read_back() {
        let versions = versions("", "clippy 0.1.97\nqemu 11.1.3\n");
        assert_eq!(parse(&versions.text()).unwrap(), versions.running);
    }

    #[test]
    fn other_versions_are_named_with_their_age() {
        let versions = versions(
            "rustc 1.97.1\nclippy 0.1.97\nqemu 11.2.0\n",
            "rustc 1.97.1\nclippy 0.1.100\nqemu 11.1.3\nclang 19.1.7\n",
        );
        let listed = |tools: &[Tool]| list(&versions.others(tools).unwrap());
        assert_eq!(listed(&[Tool::Rustc]), "");
        assert_eq!(
            listed(&[Tool::Rustc, Tool::Clippy]),
            "clippy 0.1.100 (newer than the recorded 0.1.97)"
        );
        assert_eq!(
            listed(&[Tool::Qemu, Tool::Clang]),
            "qemu 11.1.3 (older than the recorded 11.2.0), clang 19.1.7 (none is recorded)"
        );
    }

    #[test]
    fn versions_are_numbers_and_not_text() {
        assert_eq!(compare("1.100.0", "1.97.1").unwrap(), Ordering::Greater);
        assert_eq!(
            compare("7.3.4-1~bpo13+1", "7.3.4-1").unwrap(),
            Ordering::Less
        );
        assert_eq!(compare("1.35", "1.35").unwrap(), Ordering::Equal);
        assert_eq!(compare("/a/linux", "7.3.4").unwrap(), Ordering::Equal);
    }
}
