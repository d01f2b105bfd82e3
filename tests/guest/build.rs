// SPDX-License-Identifier: GPL-2.0

//! Builds the example in C as its users do: with the headers that are installed for them.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

const EXAMPLE: &str = "examples/submit/submit.c";

fn main() {
    let root =
        PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("../..");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let headers = out.join("usr");
    for input in ["Makefile", "include/uapi/drm", EXAMPLE] {
        println!("cargo::rerun-if-changed={}", root.join(input).display());
    }

    run(Command::new("make")
        .args(["--silent", "-C"])
        .arg(&root)
        .arg("headers_install")
        .arg(format!("INSTALL_HDR_PATH={}", headers.display()))
        // Those of a make that runs this.
        .env_remove("MAKEFLAGS"));
    run(Command::new("clang")
        .args([
            "-std=c11",
            "-D_GNU_SOURCE",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-O2",
            "-I",
        ])
        .arg(headers.join("include"))
        // drm.h: the kernel's own copy; libdrm's, where only that is installed.
        .args([
            "-isystem/usr/include/drm",
            "-isystem/usr/include/libdrm",
            "-o",
        ])
        .args([&out.join("submit"), Path::new(&root.join(EXAMPLE))]));
}

fn run(command: &mut Command) {
    match command.status() {
        Ok(status) if status.success() => {}
        result => panic!("{command:?}: {result:?}"),
    }
}
