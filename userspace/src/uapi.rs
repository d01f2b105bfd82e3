// SPDX-License-Identifier: MIT

//! The driver's uAPI as bindgen reads it from `include/uapi/drm/rust_gpu_ttm_drm.h`.
//!
//! Names, layouts and numbers are the header's; `docs/uapi.md` is their manual.

#![allow(missing_docs, non_camel_case_types, non_upper_case_globals)]
#![allow(unreachable_pub, clippy::all)]

include!(concat!(env!("OUT_DIR"), "/uapi.rs"));
