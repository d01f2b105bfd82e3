// SPDX-License-Identifier: GPL-2.0

//! The GPU, without one.

mod slot_table;
