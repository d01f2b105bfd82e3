// SPDX-License-Identifier: GPL-2.0

//! The uAPI: decode, check, call.
//!
//! One file a group of calls. What they check and return is in `docs/uapi.md`.

mod call;
pub(crate) mod context;
pub(crate) mod cs;
pub(crate) mod gem;
pub(crate) mod query;
mod sync;
pub(crate) mod vm;

use kernel::{
    drm,
    prelude::*,
    uaccess::{
        UserPtr,
        UserSlice, //
    }, //
};

use crate::device::RgtDriver;

/// The device, while an ioctl is under way. It may be unplugged meanwhile.
pub(crate) type Device = drm::Device<RgtDriver, drm::Ioctl>;
/// The client that made the call.
pub(crate) type File = drm::File<crate::file::RgtFile>;

/// Returns the user memory at an address.
fn user_slice(address: u64, len: usize) -> Result<UserSlice> {
    let address = usize::try_from(address).map_err(|_| EFAULT)?;
    Ok(UserSlice::new(UserPtr::from_addr(address), len))
}
