// SPDX-License-Identifier: GPL-2.0

//! Placements, and the eviction policy.

mod admission;
mod request;
mod scan_resistant;
mod token_bucket;
