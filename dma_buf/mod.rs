// SPDX-License-Identifier: GPL-2.0

//! Sharing BOs with other devices.
//!
//! An exported BO is in VRAM for devices with peer access, and in GTT for others; see
//! [`ttm::PeerAccess`](crate::rust::drm::ttm::PeerAccess). An imported BO is in GTT for this device.

mod export;
mod import;

pub(crate) use self::import::import;
