// SPDX-License-Identifier: GPL-2.0

use std::path::Path;

use super::Graph;
use crate::tree::{ROOT, Tree};

/// Returns the graph of a tree of files, each with its text. The crate root declares a module for
/// each top-level one.
pub(crate) fn graph(files: &[(&str, &str)]) -> Graph {
    let mut root = String::new();
    for (path, _) in files {
        let top = path.split_once('/').map_or(*path, |(top, _)| top);
        let line = match top.strip_suffix(".rs") {
            Some(name) => format!("mod {name};\n"),
            None => format!("mod {top};\n"),
        };
        if *path != ROOT && !root.contains(&line) {
            root.push_str(&line);
        }
    }
    let read = |path: &Path| {
        let found = files.iter().find(|(name, _)| Path::new(name) == path);
        let text = found.map(|(_, text)| (*text).to_owned());
        text.or_else(|| (path == Path::new(ROOT)).then(|| root.clone()))
    };
    Graph::new(&Tree::read(Path::new(ROOT), &read).unwrap())
}

/// Returns the imports of `graph` as "file:line target".
fn imports(graph: &Graph) -> Vec<String> {
    let imports = graph.imports.iter();
    let imports = imports.map(|import| {
        let (file, target) = (import.file.display(), import.target.display());
        format!("{file}:{} {target}", import.line)
    });
    imports.collect()
}

const BO: (&str, &str) = (
    "bo/mod.rs",
    "mod data;\npub(crate) use self::{data::{BoData, free as release}};\npub(crate) fn create() {}\n",
);
const DATA: (&str, &str) = (
    "bo/data.rs",
    "pub(crate) struct BoData;\npub(crate) enum Kind { User }\npub(crate) fn free() {}\n",
);

#[test]
fn an_import_leads_to_the_file_that_defines_it() {
    let vm = "use crate::{bo::{self, create, release as gone, BoData}, vm::Vm as _};\nstruct Vm;\n";
    let found = graph(&[BO, DATA, ("vm/mod.rs", vm)]);
    assert_eq!(
        imports(&found),
        [
            "vm/mod.rs:1 bo/mod.rs",
            "vm/mod.rs:1 bo/data.rs",
            "vm/mod.rs:1 bo/mod.rs",
            "vm/mod.rs:1 bo/data.rs",
        ]
    );
    assert_eq!(
        found.imports[1].to_string(),
        "vm -> bo: vm/mod.rs:1 imports crate::bo::BoData"
    );
}

#[test]
fn a_renamed_module_is_followed() {
    let vm = "use crate::bo as buffers;\nuse buffers::BoData;\nfn f() { buffers::release() }\n";
    assert_eq!(
        imports(&graph(&[BO, DATA, ("vm/mod.rs", vm)])),
        ["vm/mod.rs:1 bo/mod.rs", "vm/mod.rs:2 bo/data.rs"]
    );
}

#[test]
fn supers_are_counted() {
    let deep =
        "use super::super::a::A;\nfn f(b: super::B) { super::super::super::bo::release() }\n";
    let files = [
        BO,
        DATA,
        ("hw/mod.rs", "mod a;\nmod mmu;\n"),
        ("hw/a.rs", "pub(crate) struct A;\n"),
        ("hw/mmu/mod.rs", "mod b;\nmod deep;\nuse self::b::B;\n"),
        ("hw/mmu/b.rs", "pub(super) struct B;\n"),
        ("hw/mmu/deep.rs", deep),
    ];
    assert_eq!(
        imports(&graph(&files)),
        [
            "hw/mmu/deep.rs:1 hw/a.rs",
            "hw/mmu/deep.rs:2 bo/data.rs",
            "hw/mmu/deep.rs:2 hw/mmu/b.rs",
            "hw/mmu/mod.rs:3 hw/mmu/b.rs",
        ]
    );
}

#[test]
fn paths_are_found_in_code_and_in_the_tokens_of_macros() {
    let vm = "\
use kernel::prelude::*;
fn f(x: &crate::bo::BoData) -> Result {
    pr_info!(\"{}\", crate::bo::create());
    try_pin_init!(Self { a <- { let _ = [crate::bo::Kind::User]; } });
    x.crate_bo.data::<u32>();
    let _ = <crate::bo::BoData as Default>::default();
    Ok(())
}
item_macro! { use crate::{bo::{create, BoData}}; }
";
    assert_eq!(
        imports(&graph(&[BO, DATA, ("vm/mod.rs", vm)])),
        [
            "vm/mod.rs:2 bo/data.rs",
            "vm/mod.rs:3 bo/mod.rs",
            "vm/mod.rs:4 bo/mod.rs",
            "vm/mod.rs:6 bo/data.rs",
            "vm/mod.rs:9 bo/data.rs",
            "vm/mod.rs:9 bo/mod.rs",
        ]
    );
}

#[test]
fn members_variables_and_rests_of_paths_are_no_items() {
    let bo = "\
mod data;
pub(crate) use self::data::free;
fn f() {
    m!(x.free());
    m!(<X>::free());
    m!($free());
    m!(0..free());
}
";
    let found = graph(&[("bo/mod.rs", bo), DATA]);
    assert_eq!(imports(&found), ["bo/mod.rs:7 bo/data.rs"]);
}

#[test]
fn a_macro_depends_on_its_crate_paths_alone() {
    let trace = "macro_rules! t { ($x:ident) => { $crate::bo::create(); $x::f(); bo::g() } }\n";
    let found = graph(&[
        BO,
        DATA,
        ("rust/mod.rs", "mod bo;\nmod trace;\n"),
        ("rust/bo.rs", ""),
        ("rust/trace.rs", trace),
    ]);
    assert_eq!(imports(&found), ["rust/trace.rs:1 bo/mod.rs"]);
}

#[test]
fn a_folder_does_not_depend_on_what_it_only_passes_on() {
    let uses = "mod data;\npub(crate) use self::data::{BoData, Kind};\nstruct Bo(BoData);\n";
    let found = graph(&[("bo/mod.rs", uses), DATA]);
    assert_eq!(imports(&found), ["bo/mod.rs:3 bo/data.rs"]);
    let passes = "mod data;\npub(crate) use self::data::{BoData, Kind};\nfn f(Kind: u32) {}\n";
    assert!(imports(&graph(&[("bo/mod.rs", passes), DATA])).is_empty());
}

#[test]
fn a_folder_that_offers_another_ones_items_is_between_them() {
    let files = [
        BO,
        DATA,
        ("vm/mod.rs", "pub(crate) use crate::bo::BoData;\n"),
        ("cs/mod.rs", "use crate::vm::BoData;\n"),
    ];
    assert_eq!(
        imports(&graph(&files)),
        ["cs/mod.rs:1 vm/mod.rs", "vm/mod.rs:1 bo/data.rs"]
    );
}

#[test]
fn modules_have_files_at_paths_and_may_be_in_others() {
    let hw = "#[path = \"abi/src/lib.rs\"]\nmod abi;\nmod inner { use super::abi::limits::MAX; use crate::bo::*; }\n";
    let files = [
        BO,
        DATA,
        ("hw/mod.rs", hw),
        ("hw/abi/src/lib.rs", "pub mod limits;\n"),
        ("hw/abi/src/limits.rs", "pub const MAX: u32 = 1;\n"),
    ];
    assert_eq!(
        imports(&graph(&files)),
        ["hw/mod.rs:3 bo/mod.rs", "hw/mod.rs:3 hw/abi/src/limits.rs"]
    );
}

#[test]
fn other_crates_and_the_root_are_no_folders() {
    let files = [
        (
            "sched/mod.rs",
            "mod kernel;\nuse crate::module_parameters;\nuse ::kernel::Fence;\n",
        ),
        (
            "sched/kernel.rs",
            "use kernel::prelude::*;\nuse core::sched;\nstruct Fence;\n",
        ),
    ];
    assert!(imports(&graph(&files)).is_empty());
}

#[test]
fn re_exports_in_a_circle_end() {
    let files = [
        (
            "a/mod.rs",
            "pub(crate) use crate::b::*;\npub(crate) use crate::b::X;\n",
        ),
        (
            "b/mod.rs",
            "pub(crate) use crate::a::*;\npub(crate) use crate::a::X;\n",
        ),
    ];
    let found = graph(&files);
    let edges: Vec<_> = found.edges().into_keys().collect();
    assert_eq!(edges, [("a", "b"), ("b", "a")]);
}

#[test]
fn tests_import_without_an_edge() {
    let files = [BO, DATA, ("tests/mod.rs", "use crate::bo::BoData;\n")];
    assert!(imports(&graph(&files)).is_empty());
}

#[test]
fn a_file_that_is_missing_or_no_rust_is_an_error() {
    let read =
        |text: &'static str| move |path: &Path| (path == Path::new(ROOT)).then(|| text.to_owned());
    let error = |text| {
        let error = Tree::read(Path::new(ROOT), &read(text)).err().unwrap();
        error.to_string()
    };
    assert_eq!(error("mod a;"), "rust_gpu_ttm.rs: the module a has no file");
    assert!(error("\nfn 1() {}").starts_with("rust_gpu_ttm.rs:2: "));
}
