// SPDX-License-Identifier: GPL-2.0

//! The GPU, without one.

mod page_table;
mod slot_table;
mod table_memory;
