// SPDX-License-Identifier: GPL-2.0

//! Which files of the checkout make the driver in a kernel tree.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::paths::Paths;
use crate::step::Step;

/// The parts of the checkout that a kernel tree does not want at the driver's
/// place: the uAPI header has its own.
const OTHERS: [&str; 15] = [
    "/.*",
    "Cargo.*",
    "/LICENSE*",
    "/Makefile",
    "/docs",
    "/examples",
    "/hw/abi/include",
    "/include",
    "/softgpu",
    "/tests/fuzz",
    "/tests/guest",
    "/tests/uapi",
    "/tools",
    "/userspace",
    "*.md",
];

/// Makes the folder `to` hold exactly the driver's sources, and leaves alone
/// what a build has put beside them.
///
/// Files are compared by content and take no time stamps along, so that an
/// older file that replaces a newer one is still built.
pub(crate) fn sync(paths: &Paths, to: &Path) -> Result<()> {
    let mut rsync = Command::new("rsync");
    rsync.args([
        "-rlpc",
        "--delete",
        "--prune-empty-dirs",
        "--filter=:- .gitignore",
    ]);
    rsync.args(OTHERS.map(|other| format!("--exclude={other}")));
    rsync.arg(format!("{}/", paths.src.display())).arg(to);
    Step::new(paths, "driver sources", "sources").run(&mut rsync)
}
