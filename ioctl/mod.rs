// SPDX-License-Identifier: GPL-2.0

//! The uAPI: decode, check, call.
//!
//! One file a group of calls. What they check and return is in `docs/uapi.md`.

pub(crate) mod context;
pub(crate) mod cs;
pub(crate) mod gem;
pub(crate) mod query;
mod sync;
pub(crate) mod unimplemented;
pub(crate) mod vm;

use kernel::{
    drm,
    prelude::*,
    transmute::FromBytes,
    uaccess::{
        UserPtr,
        UserSlice, //
    }, //
};

use crate::device::RgtDriver;

/// The device, while an ioctl is under way.
pub(crate) type Device = drm::Device<RgtDriver, drm::Registered>;
/// The client that made the call.
pub(crate) type File = drm::File<crate::file::RgtFile>;

/// Checks that all of a call's reserved fields, and its extension chain, are 0.
fn reserved(fields: &[u64]) -> Result {
    if fields.iter().any(|&field| field != 0) {
        return Err(EINVAL);
    }
    Ok(())
}

/// Checks that no undefined flag is set.
fn flags(flags: u32, defined: u32) -> Result {
    if flags & !defined != 0 {
        return Err(EINVAL);
    }
    Ok(())
}

/// Returns the user memory at an address.
fn user_slice(address: u64, len: usize) -> Result<UserSlice> {
    let address = usize::try_from(address).map_err(|_| EFAULT)?;
    Ok(UserSlice::new(UserPtr::from_addr(address), len))
}

/// Copies an array from user space. `EINVAL` when it has more than `max` entries.
fn user_array<T: FromBytes>(address: u64, count: u32, max: usize) -> Result<KVVec<T>> {
    let count = count as usize;
    if count > max {
        return Err(EINVAL);
    }

    let mut reader = user_slice(address, count * size_of::<T>())?.reader();
    let mut entries = KVVec::with_capacity(count, GFP_KERNEL)?;
    for _ in 0..count {
        entries.push(reader.read::<T>()?, GFP_KERNEL)?;
    }
    Ok(entries)
}
