// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Bindings of what the kernel crate's own bindings lack.
//!
//! `bindgen` makes them from `bindings_helper.h` at build time, see `Kbuild`. Types that the
//! kernel crate has come from `kernel::bindings`, so that both sets agree on them.

#![allow(
    clippy::all,
    clippy::cast_lossless,
    clippy::ptr_as_ptr,
    clippy::ref_as_ptr,
    clippy::undocumented_unsafe_blocks,
    dead_code,
    improper_ctypes,
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unreachable_pub,
    unsafe_op_in_unsafe_fn
)]

mod uapi;

use kernel::ffi;
use pin_init::MaybeZeroable;

pub(crate) use kernel::bindings::*;

include!(env!("RGT_BINDINGS_FILE"));
