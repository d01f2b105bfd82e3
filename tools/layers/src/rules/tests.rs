// SPDX-License-Identifier: GPL-2.0

use crate::graph::tests::graph;
use crate::rules::{self, Table};
use crate::table::{LAYERS, Layer};

const fn layer(name: &'static str, imports: &'static [&'static str]) -> Layer {
    Layer {
        name,
        holds: "",
        imports,
        types_of: &[],
    }
}

fn check(files: &[(&str, &str)], layers: &[Layer]) -> Vec<String> {
    rules::check(&graph(files), layers)
}

const RUST: (&str, &str) = ("rust/mod.rs", "pub struct Fence;\npub fn wait() {}\n");
const BO: (&str, &str) = (
    "bo/mod.rs",
    "use crate::rust::Fence;\npub struct Bo;\npub fn create() {}\n",
);

#[test]
fn a_tree_as_in_the_table_is_clean() {
    let layers = [layer("rust", &[]), layer("bo", &["rust"])];
    assert!(check(&[RUST, BO], &layers).is_empty());
}

#[test]
fn an_edge_that_the_table_lacks_is_told_with_its_line() {
    let layers = [layer("rust", &[]), layer("bo", &[])];
    assert_eq!(
        check(&[RUST, BO], &layers),
        ["bo -> rust: bo/mod.rs:1 imports crate::rust::Fence"]
    );
}

#[test]
fn an_edge_that_the_sources_lack_is_told() {
    let layers = [
        layer("rust", &[]),
        layer("bo", &["rust"]),
        layer("vm", &["bo"]),
    ];
    let vm = ("vm/mod.rs", "");
    assert_eq!(
        check(&[RUST, BO, vm], &layers),
        ["vm -> bo is in the table and not used"]
    );
    assert_eq!(
        check(&[RUST, BO], &layers),
        ["vm is in the table and not in the tree"]
    );
    assert_eq!(
        check(&[RUST, BO, vm], &layers[..2]),
        ["vm has no layer in the table"]
    );
}

#[test]
fn folders_in_a_circle_are_told() {
    let vm = ("vm/mod.rs", "use crate::bo::Bo;\npub fn zap() {}\n");
    let bo = ("bo/mod.rs", "fn f() { crate::vm::zap() }\npub struct Bo;\n");
    let layers = [layer("bo", &[]), layer("vm", &["bo"])];
    assert_eq!(
        check(&[bo, vm], &layers),
        [
            "bo -> vm: bo/mod.rs:1 imports crate::vm::zap",
            "circle of folders: bo, vm"
        ]
    );
    // The table does not allow one either.
    let layers = [layer("bo", &["vm"]), layer("vm", &["bo"])];
    assert_eq!(
        check(&[bo, vm], &layers),
        [
            "bo -> vm does not go down in the table",
            "circle of folders: bo, vm"
        ]
    );
}

#[test]
fn tests_are_imported_by_none() {
    let bo = ("bo/mod.rs", "use crate::tests::fake;\n");
    let tests = ("tests/mod.rs", "use crate::bo;\npub fn fake() {}\n");
    assert_eq!(
        check(&[bo, tests], &[layer("bo", &[])]),
        ["bo -> tests: bo/mod.rs:1 imports crate::tests::fake"]
    );
}

#[test]
fn the_device_is_of_the_types_of_higher_layers_and_calls_none() {
    let device = Layer {
        types_of: &["bo"],
        ..layer("device.rs", &[])
    };
    let layers = [device, layer("bo", &["device.rs"])];
    let bo = (
        "bo/mod.rs",
        "use crate::device::Device;\npub struct Bo;\npub fn create() {}\n",
    );
    let of_types = ("device.rs", "use crate::bo::Bo;\npub struct Device(Bo);\n");
    assert!(check(&[bo, of_types], &layers).is_empty());
    let calls = (
        "device.rs",
        "use crate::bo::{create, Bo};\npub struct Device(Bo);\n",
    );
    assert_eq!(
        check(&[bo, calls], &layers),
        ["device.rs -> bo: device.rs:1 imports crate::bo::create, which is no type"]
    );
    let other = Layer {
        types_of: &["bo"],
        ..layer("params.rs", &[])
    };
    let broken = check(
        &[bo, ("params.rs", "use crate::bo::Bo;\n")],
        &[other, layer("bo", &[])],
    );
    assert!(broken.contains(&"params.rs may not name types of higher layers".to_owned()));
}

/// A folder with a circle of as many files as named.
fn ring(files: &[&str]) -> Vec<(String, String)> {
    let mods = files.iter().map(|file| format!("mod {file};\n"));
    let mut made = vec![("hw/mod.rs".to_owned(), mods.collect())];
    for (at, file) in files.iter().enumerate() {
        let next = files[(at + 1) % files.len()];
        let text = format!("use super::{next}::Item;\npub(super) struct Item;\n");
        made.push((format!("hw/{file}.rs"), text));
    }
    made
}

fn check_ring(files: &[&str]) -> Vec<String> {
    let files = ring(files);
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (&**path, &**text))
        .collect();
    check(&files, &[layer("hw", &[])])
}

#[test]
fn a_folder_has_circles_of_up_to_five_files() {
    assert!(check_ring(&["a", "b", "c", "d", "e"]).is_empty());
    assert_eq!(
        check_ring(&["a", "b", "c", "d", "e", "f"]),
        ["circle of 6 files in hw: hw/a.rs, hw/b.rs, hw/c.rs, hw/d.rs, hw/e.rs, hw/f.rs"]
    );
}

#[test]
fn the_table_goes_down() {
    assert_eq!(Table(LAYERS).wrong(), Vec::<String>::new());
}
