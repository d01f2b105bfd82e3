// SPDX-License-Identifier: GPL-2.0

//! The eviction policy.

mod belady;
mod claim;
mod model;
mod token_bucket;
mod trace;
mod traces;
