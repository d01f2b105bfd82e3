// SPDX-License-Identifier: GPL-2.0

//! Each command of the control socket has a test that gives it: one of the device, and one of the
//! driver in a guest.

use std::fs;
use std::path::{Path, PathBuf};

use softgpu::command_line::help::COMMANDS;

/// The sources of the tests.
const TESTS: [&str; 2] = ["softgpu/tests/device", "tests/guest/src/suites"];

/// This file, whose own examples do not count.
const THIS: &str = "device/coverage.rs";

/// Adds the files below a folder.
fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, files);
        } else if path.extension().is_some_and(|it| it == "rs") && !path.ends_with(THIS) {
            files.push(path);
        }
    }
}

/// The string literals of one line of code, as they are written.
fn literals(line: &str) -> impl Iterator<Item = &str> {
    let code = if line.trim_start().starts_with("//") {
        ""
    } else {
        line
    };
    code.split('"').skip(1).step_by(2)
}

/// Whether a literal gives a command: its words, with a number or a placeholder for each argument.
fn gives(literal: &str, usage: &str) -> bool {
    let is_argument = |word: &str| {
        word.starts_with('{') && word.ends_with('}') || word.bytes().all(|it| it.is_ascii_digit())
    };
    let is_name = |word: &str| word.bytes().all(|it| it.is_ascii_uppercase());
    let (words, wanted) = (literal.split(' '), usage.split(' '));
    words.clone().count() == wanted.clone().count()
        && words.zip(wanted).all(|(word, wanted)| match wanted {
            name if is_name(name) => is_argument(word),
            name => word == name,
        })
}

#[test]
fn each_command_is_given_by_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for folder in TESTS {
        let mut files = Vec::new();
        walk(&root.join(folder), &mut files);
        let texts: Vec<String> = files
            .iter()
            .map(|it| fs::read_to_string(it).unwrap())
            .collect();
        for (usage, _) in COMMANDS {
            let mut lines = texts.iter().flat_map(|text| text.lines());
            assert!(
                lines.any(|line| literals(line).any(|literal| gives(literal, usage))),
                "no test in {folder} gives the command {usage}"
            );
        }
    }
}

#[test]
fn what_gives_a_command() {
    assert!(gives("hang 0 {} fatal", "hang GPU ENGINE fatal"));
    assert!(gives("lose 0 {vector} {LOST}", "lose GPU VECTOR COUNT"));
    assert!(!gives("hang 0 {}", "hang GPU ENGINE fatal"));
    assert!(!gives("hang 0 tlb", "hang GPU ENGINE"));
    assert!(!gives("hang it", "hang GPU ENGINE"));
}
