// SPDX-License-Identifier: GPL-2.0

//! Configuring and building a kernel beside its source.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::available_parallelism;

use anyhow::{Context, Result, bail};

use super::source::{self, Tree};
use super::{Flavour, Kernel};
use crate::lock::Lock;
use crate::paths::Paths;
use crate::progress;
use crate::step::Step;

/// The programs whose versions a build depends on.
const TOOLS: [&str; 4] = ["clang", "ld.lld", "rustc", "bindgen"];

/// How many lines the build writes, roughly.
const LINES: u64 = 2400;

/// Gives the kernel, built if its inputs have changed.
pub(super) fn ensure(paths: &Paths, flavour: Flavour) -> Result<Kernel> {
    let tree = source::tree(paths)?;
    let name = flavour.name();
    let dir = paths.cache.join(format!("kernel-{name}"));
    let stamp = dir.join("stamp");
    let lock = paths.cache.join(format!("lock/kernel-{name}"));
    let fragment = fragment(paths, flavour)?;
    let inputs = inputs(&tree, &fragment)?;
    let kernel = |shared| Kernel {
        dir: dir.clone(),
        name,
        _lock: Some(shared),
    };
    let current = || fs::read_to_string(&stamp).is_ok_and(|stamp| stamp == inputs);
    loop {
        let shared = Lock::shared(&lock)?;
        if current() {
            return Ok(kernel(shared));
        }
        drop(shared);
        let _alone = Lock::exclusive(&lock)?;
        if !current() {
            build(paths, flavour, &tree, &dir, &fragment)?;
            fs::write(&stamp, &inputs)?;
        }
    }
}

fn fragment(paths: &Paths, flavour: Flavour) -> Result<String> {
    let files: &[&str] = match flavour {
        Flavour::Plain => &["common.config"],
        Flavour::Debug => &["common.config", "debug.config"],
    };
    let mut fragment = String::new();
    for file in files {
        let file = paths.src.join("tools/kernel").join(file);
        fragment += &fs::read_to_string(&file)
            .with_context(|| format!("cannot read {}", file.display()))?;
    }
    Ok(fragment)
}

/// Everything that a build depends on, as text.
fn inputs(tree: &Tree, fragment: &str) -> Result<String> {
    let mut inputs = format!("linux {}\n", tree.version);
    for tool in TOOLS {
        let output = Command::new(tool)
            .arg("--version")
            .output()
            .with_context(|| format!("cannot run {tool}"))?;
        let version = String::from_utf8_lossy(&output.stdout);
        writeln!(inputs, "{}", version.lines().next().unwrap_or_default())?;
    }
    Ok(inputs + fragment)
}

fn build(paths: &Paths, flavour: Flavour, tree: &Tree, dir: &Path, fragment: &str) -> Result<()> {
    let name = flavour.name();
    progress::say(&format!("  {name} kernel: linux {}", tree.version));
    // What was built from another source is of no use.
    if dir.join("source").exists()
        && fs::canonicalize(dir.join("source"))? != fs::canonicalize(&tree.dir)?
    {
        fs::remove_dir_all(dir)?;
    }
    fs::create_dir_all(dir)?;
    let _ = fs::remove_file(dir.join("stamp"));
    fs::write(dir.join("fragment"), fragment)?;

    let make = || {
        let mut make = Command::new("make");
        make.arg("-C").arg(&tree.dir);
        make.arg(format!("O={}", dir.display())).arg("LLVM=1");
        make
    };
    Step::new(
        paths,
        &format!("{name} kernel: configure"),
        &format!("config-{name}"),
    )
    .run(
        make()
            .arg("allnoconfig")
            .env("KCONFIG_ALLCONFIG", dir.join("fragment")),
    )?;
    let config = fs::read_to_string(dir.join(".config"))?;
    let refused = refused(fragment, &config);
    if !refused.is_empty() {
        bail!(
            "the {name} kernel's configuration does not take {}",
            refused.join(", ")
        );
    }
    let jobs = available_parallelism().map_or(1, |cpus| cpus.get()) + 1;
    Step::new(
        paths,
        &format!("{name} kernel: build"),
        &format!("kernel-{name}"),
    )
    .expect(LINES)
    .run(make().arg(format!("-j{jobs}")).args(["bzImage", "modules"]))
}

/// The wanted options that the configuration does not have.
fn refused<'a>(fragment: &'a str, config: &str) -> Vec<&'a str> {
    let has = |wanted: &str| config.lines().any(|line| line == wanted);
    let names = |option: &str| {
        let assignment = format!("{option}=");
        config.lines().any(|line| line.starts_with(&assignment))
    };
    fragment
        .lines()
        .filter(|line| line.starts_with("CONFIG_"))
        .filter(|line| match line.strip_suffix("=n") {
            Some(option) => names(option),
            None => !has(line),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::refused;

    #[test]
    fn options_are_compared_with_what_became_of_them() {
        let fragment = "# comment\nCONFIG_A=y\nCONFIG_B=n\nCONFIG_C=m\nCONFIG_D=17\n";
        assert_eq!(
            refused(fragment, "CONFIG_A=y\nCONFIG_C=m\nCONFIG_D=17\n"),
            [""; 0]
        );
        assert_eq!(
            refused(fragment, "CONFIG_A=y\nCONFIG_B=y\nCONFIG_C=y\n"),
            ["CONFIG_B=n", "CONFIG_C=m", "CONFIG_D=17"]
        );
    }

    #[test]
    fn an_option_is_not_taken_for_one_that_begins_like_it() {
        assert_eq!(refused("CONFIG_A=n\n", "CONFIG_AB=y\n"), [""; 0]);
    }
}
