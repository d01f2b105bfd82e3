// SPDX-License-Identifier: MIT

//! The driver's uAPI as bindgen reads it from `include/uapi/drm/rust_gpu_ttm_drm.h`.
//!
//! Names, layouts and numbers are the header's; `docs/uapi.md` is their manual.

#![allow(missing_docs, non_camel_case_types, non_upper_case_globals)]
#![allow(unreachable_pub, clippy::all)]

include!(concat!(env!("OUT_DIR"), "/uapi.rs"));

impl drm_rgt_array {
    /// The array of these entries, which must stay where they are until the call.
    pub fn of<T>(entries: &[T]) -> Self {
        Self {
            stride: size_of::<T>() as u32,
            count: entries.len() as u32,
            address: entries.as_ptr() as u64,
        }
    }
}
