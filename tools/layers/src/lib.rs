// SPDX-License-Identifier: GPL-2.0

//! The layers of the module's folders: which one imports from which, and which ones may.
//!
//! The graph is drawn from the imports in the sources. It is compared with [`LAYERS`], the one
//! place where the layers are written down. A dependency through the methods of a type that is not
//! named is not seen.

mod graph;
mod render;
mod resolve;
mod rules;
mod table;
mod tree;

pub use self::{
    graph::Graph,
    render::{dot, imports, text},
    rules::check,
    table::{LAYERS, Layer, markdown},
};
