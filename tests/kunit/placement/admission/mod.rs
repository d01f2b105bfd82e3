// SPDX-License-Identifier: GPL-2.0

//! Admission to VRAM, in a model of it.

mod belady;
mod model;
mod trace;
mod traces;
