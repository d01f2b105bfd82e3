// SPDX-License-Identifier: GPL-2.0

//! Checks of a call's arguments.

use kernel::{
    fmt,
    prelude::*,
    transmute::FromBytes, //
};

use super::{
    user_slice,
    Device, //
};
use crate::rust::drm::print::drm_dbg;

/// A call whose arguments are checked, or an entry of an array in them.
///
/// Why it is refused is shown under `drm.debug`, with the field at fault.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    dev: &'a Device,
    name: &'static str,
    entry: Option<(&'static str, usize)>,
}

impl<'a> Call<'a> {
    /// Returns a call of the ioctl `name`.
    pub(super) fn new(dev: &'a Device, name: &'static str) -> Self {
        Self {
            dev,
            name,
            entry: None,
        }
    }

    /// Returns the entry at `index` of the array in `field`.
    pub(super) fn entry(self, field: &'static str, index: usize) -> Self {
        Self {
            entry: Some((field, index)),
            ..self
        }
    }

    /// Shows why the call is refused, which begins with the field at fault. Returns `err`.
    pub(super) fn refuse(self, err: Error, why: fmt::Arguments<'_>) -> Error {
        match self.entry {
            Some((field, index)) => {
                drm_dbg!(self.dev, "{}: {field}[{index}].{why}\n", self.name)
            }
            None => drm_dbg!(self.dev, "{}: {why}\n", self.name),
        }
        err
    }

    /// Shows why the call is refused if `result` is the error `err`.
    pub(super) fn explain<T>(
        self,
        result: Result<T>,
        err: Error,
        why: fmt::Arguments<'_>,
    ) -> Result<T> {
        result.inspect_err(|&got| {
            if got == err {
                self.refuse(err, why);
            }
        })
    }

    /// Checks that reserved fields, and the extension chain, are 0.
    pub(super) fn reserved(self, fields: &[(&str, u64)]) -> Result {
        for (field, value) in fields {
            if *value != 0 {
                return Err(self.refuse(EINVAL, fmt!("{field} {value:#x}: not 0")));
            }
        }
        Ok(())
    }

    /// Checks that no undefined flag is set.
    pub(super) fn flags(self, flags: u32, defined: u32) -> Result {
        let unknown = flags & !defined;
        if unknown != 0 {
            return Err(self.refuse(EINVAL, fmt!("flags {flags:#x}: unknown flags {unknown:#x}")));
        }
        Ok(())
    }

    /// Copies the array in `field` from user space. `EINVAL` when it has more than `max` entries.
    pub(super) fn user_array<T: FromBytes>(
        self,
        field: &str,
        address: u64,
        count: u32,
        max: usize,
    ) -> Result<KVVec<T>> {
        let count = count as usize;
        if count > max {
            let why = fmt!("{field}: {count} entries, at most {max} are allowed");
            return Err(self.refuse(EINVAL, why));
        }

        let mut reader = user_slice(address, count * size_of::<T>())?.reader();
        let mut entries = KVVec::with_capacity(count, GFP_KERNEL)?;
        for _ in 0..count {
            entries.push(reader.read::<T>()?, GFP_KERNEL)?;
        }
        Ok(entries)
    }
}
