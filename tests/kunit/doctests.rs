// SPDX-License-Identifier: GPL-2.0

//! The examples in the documentation of the abstractions. `Kbuild` makes the suite of the sources.

#![allow(unused)]

include!(env!("RGT_DOCTESTS_FILE"));
