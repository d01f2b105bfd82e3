// SPDX-License-Identifier: GPL-2.0

//! Checks of a call's arguments.

use core::{
    marker::PhantomData,
    ops::Range, //
};

use kernel::{
    fmt,
    prelude::*,
    transmute::{
        AsBytes,
        FromBytes, //
    },
    uaccess::UserSliceReader, //
};

use super::{
    user_slice,
    Device, //
};
use crate::rust::{
    bindings::drm_rgt_array,
    drm::print::drm_dbg, //
};

/// The most bytes from one entry of an array to the next.
const MAX_STRIDE: usize = 4096;

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

    /// Returns the device.
    pub(super) fn device(self) -> &'a Device {
        self.dev
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

    /// Reads the array in `field` from user space, whose entries may be shorter or longer than `T`:
    /// the fields that they lack are 0, and the bytes after those of `T` must be.
    ///
    /// `EINVAL` when it has more than `max` entries.
    pub(super) fn array<T: AsBytes + FromBytes + Default>(
        self,
        field: &'static str,
        array: &drm_rgt_array,
        max: usize,
    ) -> Result<Entries<'a, T>> {
        let (count, stride) = (array.count as usize, array.stride as usize);
        if count > max {
            let why = fmt!("{field}: {count} entries, at most {max} are allowed");
            return Err(self.refuse(EINVAL, why));
        }
        if count != 0 && (stride == 0 || stride > MAX_STRIDE) {
            let why = fmt!("{field}: stride {stride}: not from 1 to {MAX_STRIDE}");
            return Err(self.refuse(EINVAL, why));
        }
        Ok(Entries {
            call: self,
            field,
            reader: user_slice(array.address, count * stride)?.reader(),
            stride,
            indices: 0..count,
            _entry: PhantomData,
        })
    }
}

/// The entries of an array in user space, each with the call that shows why it is refused.
pub(super) struct Entries<'a, T> {
    call: Call<'a>,
    field: &'static str,
    reader: UserSliceReader,
    /// The bytes from one entry to the next.
    stride: usize,
    indices: Range<usize>,
    _entry: PhantomData<T>,
}

impl<T: AsBytes + FromBytes + Default> Entries<'_, T> {
    fn read(&mut self, call: Call<'_>) -> Result<T> {
        let mut entry = T::default();
        let known = self.stride.min(size_of::<T>());

        self.reader.read_slice(&mut entry.as_bytes_mut()[..known])?;
        if !is_zero(&mut self.reader, self.stride - known)? {
            let why = fmt!("byte {known} or a later one: unknown, and not 0");
            return Err(call.refuse(EINVAL, why));
        }
        Ok(entry)
    }
}

impl<'a, T: AsBytes + FromBytes + Default> Iterator for Entries<'a, T> {
    type Item = Result<(Call<'a>, T)>;

    fn next(&mut self) -> Option<Self::Item> {
        let call = self.call.entry(self.field, self.indices.next()?);

        Some(self.read(call).map(|entry| (call, entry)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.indices.size_hint()
    }
}

impl<T: AsBytes + FromBytes + Default> ExactSizeIterator for Entries<'_, T> {}

/// Reads `len` bytes and returns whether all are 0.
fn is_zero(reader: &mut UserSliceReader, mut len: usize) -> Result<bool> {
    let mut bytes = [0; 64];

    while len != 0 {
        let part = &mut bytes[..len.min(64)];
        reader.read_slice(part)?;
        if part.iter().any(|&byte| byte != 0) {
            return Ok(false);
        }
        len -= part.len();
    }
    Ok(true)
}
