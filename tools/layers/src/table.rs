// SPDX-License-Identifier: GPL-2.0

//! The table of layers.

use std::fmt::Write;

/// A layer: a folder, or a file beside the crate root.
#[derive(Debug, Clone, Copy)]
pub struct Layer {
    /// The name of the folder, or the file's with its extension.
    pub name: &'static str,
    /// Its contents, in a few words.
    pub holds: &'static str,
    /// The lower layers that it imports from.
    pub imports: &'static [&'static str],
    /// The higher layers that it names types of. Only [`TYPES`] does.
    pub types_of: &'static [&'static str],
}

/// The file of the types that every layer names. Its fields are of the layers' types, but it calls
/// none of them: what it imports makes no circle.
pub(crate) const TYPES: &str = "device.rs";

/// The layers, lower ones first. Imports go down only.
pub const LAYERS: &[Layer] = &[
    Layer {
        name: "rust",
        holds: "abstractions that the kernel crate lacks; in `unpatched/`, what an unpatched kernel forces",
        imports: &[],
        types_of: &[],
    },
    Layer {
        name: "fence",
        holds: "timelines, status page, completion, the fences that jobs wait for and attach",
        imports: &["rust"],
        types_of: &[],
    },
    Layer {
        name: "hw",
        holds: "the GPU as the CPU sees it",
        imports: &["rust", "fence"],
        types_of: &[],
    },
    Layer {
        name: "params.rs",
        holds: "module parameters",
        imports: &["rust", "hw"],
        types_of: &[],
    },
    Layer {
        name: "device.rs",
        holds: "driver, device and its data, as types",
        imports: &["rust"],
        types_of: &["sched", "resource_mgr", "placement", "bo"],
    },
    Layer {
        name: "sched",
        holds: "contexts, entities, the engines' queues, timeouts",
        imports: &["rust", "fence", "hw"],
        types_of: &[],
    },
    Layer {
        name: "resource_mgr",
        holds: "VRAM, GTT and private managers",
        imports: &["rust", "hw"],
        types_of: &[],
    },
    Layer {
        name: "placement",
        holds: "TTM places for a request, eviction policy",
        imports: &["rust", "resource_mgr"],
        types_of: &[],
    },
    Layer {
        name: "bo",
        holds: "buffer objects: create, validate, move, evict, purge, shrink",
        imports: &[
            "rust",
            "fence",
            "hw",
            "device.rs",
            "sched",
            "resource_mgr",
            "placement",
        ],
        types_of: &[],
    },
    Layer {
        name: "vm",
        holds: "GPU address spaces: binds, page-table updates",
        imports: &[
            "rust",
            "fence",
            "hw",
            "device.rs",
            "sched",
            "resource_mgr",
            "bo",
        ],
        types_of: &[],
    },
    Layer {
        name: "cs",
        holds: "from a submission to its entity",
        imports: &["rust", "fence", "hw", "device.rs", "sched", "bo", "vm"],
        types_of: &[],
    },
    Layer {
        name: "dma_buf",
        holds: "export and import",
        imports: &["rust", "hw", "device.rs", "placement", "bo"],
        types_of: &[],
    },
    Layer {
        name: "file.rs",
        holds: "a client's contexts and VMs",
        imports: &["rust", "hw", "device.rs", "sched", "vm"],
        types_of: &[],
    },
    Layer {
        name: "fdinfo.rs",
        holds: "a client's use of memory and engines",
        imports: &["rust", "hw", "device.rs", "resource_mgr", "bo", "file.rs"],
        types_of: &[],
    },
    Layer {
        name: "debugfs",
        holds: "a device's state, for people",
        imports: &["rust", "hw", "device.rs", "sched", "resource_mgr", "bo"],
        types_of: &[],
    },
    Layer {
        name: "ioctl",
        holds: "the uAPI: decode, check, call",
        imports: &[
            "rust",
            "fence",
            "hw",
            "device.rs",
            "sched",
            "resource_mgr",
            "placement",
            "bo",
            "vm",
            "cs",
            "file.rs",
        ],
        types_of: &[],
    },
    Layer {
        name: "driver.rs",
        holds: "PCI probe and unbind, DRM registration",
        imports: &[
            "rust",
            "hw",
            "params.rs",
            "device.rs",
            "sched",
            "resource_mgr",
            "bo",
            "vm",
            "dma_buf",
            "file.rs",
            "fdinfo.rs",
            "debugfs",
            "ioctl",
        ],
        types_of: &[],
    },
];

/// Returns the table for the documentation.
pub fn markdown(layers: &[Layer]) -> String {
    let list = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        names.join(", ")
    };
    let mut out = "| layer | holds | imports from |\n|---|---|---|\n".to_owned();
    for layer in layers {
        let types = match layer.types_of {
            [] => String::new(),
            names => format!("; types of {}", list(names)),
        };
        // Writing to a string does not fail.
        let _ = writeln!(
            out,
            "| `{}` | {} | {}{types} |",
            layer.name,
            layer.holds,
            list(layer.imports)
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Layer, markdown};

    #[test]
    fn types_are_told_from_what_is_called() {
        let layer = Layer {
            name: "device.rs",
            holds: "types",
            imports: &["rust", "hw"],
            types_of: &["bo"],
        };
        let made = markdown(&[layer]);
        let row = "| `device.rs` | types | `rust`, `hw`; types of `bo` |";
        assert_eq!(made.lines().nth(2), Some(row));
    }
}
