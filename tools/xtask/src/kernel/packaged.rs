// SPDX-License-Identifier: GPL-2.0

//! The kernels of the distribution's source, each with a stamp of what it was built from.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use super::build::{self, Build};
use super::source::{self, Tree};
use super::{Flavour, Kernel};
use crate::lock::Lock;
use crate::paths::Paths;
use crate::progress;

/// The programs whose versions a build depends on.
const TOOLS: [&str; 4] = ["clang", "ld.lld", "rustc", "bindgen"];

/// Gives the kernel, built if its inputs have changed.
pub(super) fn ensure(paths: &Paths, flavour: Flavour) -> Result<Kernel> {
    let tree = source::tree(paths)?;
    let name = flavour.name();
    let dir = paths.cache.join(format!("kernel-{name}"));
    let stamp = dir.join("stamp");
    let lock = paths.cache.join(format!("lock/kernel-{name}"));
    let fragment = build::fragment(&paths.src, flavour, tree.version.parse()?)?;
    let inputs = inputs(&tree, &fragment)?;
    let kernel = |shared| Kernel {
        dir: dir.clone(),
        home: paths.cache.clone(),
        title: name,
        key: name.to_owned(),
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
        if current() {
            continue;
        }
        progress::say(&format!("  {name} kernel: linux {}", tree.version));
        // A build of another source is of no use.
        if dir.join("source").exists()
            && fs::canonicalize(dir.join("source"))? != fs::canonicalize(&tree.dir)?
        {
            fs::remove_dir_all(&dir)?;
        }
        fs::create_dir_all(&dir)?;
        let _ = fs::remove_file(&stamp);
        let build = Build {
            paths,
            source: &tree.dir,
            dir: &dir,
            title: name,
            key: name,
        };
        let refused = build.configure(&fragment)?;
        build::all_taken(name, &refused)?;
        build.run()?;
        fs::write(&stamp, &inputs)?;
    }
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
