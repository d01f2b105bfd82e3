// SPDX-License-Identifier: GPL-2.0

//! Which BOs deserve VRAM.

mod belady;
mod budget;
mod claim;
mod model;
mod trace;
mod traces;
