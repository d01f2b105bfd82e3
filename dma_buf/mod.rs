// SPDX-License-Identifier: GPL-2.0

//! Sharing BOs with other devices.
//!
//! What is exported is in VRAM for those that reach it there, and in GTT for others; see
//! [`ttm::Reach`](crate::rust::drm::ttm::Reach). What is imported is in GTT as far as this device
//! is concerned.

mod export;
mod import;

pub(crate) use self::import::import;
