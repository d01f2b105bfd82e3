// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Vectors that are mostly empty.

use core::ops::{
    Deref,
    DerefMut, //
};

use kernel::{
    alloc::Flags,
    prelude::*, //
};

/// A [`KVVec`] that is there only once something was pushed.
///
/// Dropping an empty [`KVVec`] calls the allocator all the same, which costs more than many a list
/// that is mostly empty is worth. Dropping this costs nothing then.
///
/// # Examples
///
/// ```
/// # use kernel::prelude::*;
/// # use crate::rust::alloc::LazyVec;
/// let mut numbers = LazyVec::new();
/// assert!(numbers.is_empty());
///
/// numbers.push(1, GFP_KERNEL)?;
/// numbers.push(2, GFP_KERNEL)?;
/// assert_eq!(&numbers[..], &[1, 2]);
/// assert_eq!(numbers.into_iter().sum::<i32>(), 3);
/// # Ok::<(), Error>(())
/// ```
pub struct LazyVec<T>(Option<KVVec<T>>);

impl<T> LazyVec<T> {
    /// Returns an empty one.
    pub const fn new() -> Self {
        Self(None)
    }

    /// Returns an empty one with room for `capacity` values, or for none if that is 0.
    pub fn with_capacity(capacity: usize, flags: Flags) -> Result<Self> {
        Ok(Self(match capacity {
            0 => None,
            _ => Some(KVVec::with_capacity(capacity, flags)?),
        }))
    }

    /// Returns one with `count` copies of a value.
    pub fn from_elem(value: T, count: usize, flags: Flags) -> Result<Self>
    where
        T: Clone,
    {
        Ok(Self(match count {
            0 => None,
            _ => Some(KVVec::from_elem(value, count, flags)?),
        }))
    }

    /// Appends a value.
    pub fn push(&mut self, value: T, flags: Flags) -> Result {
        Ok(self.0.get_or_insert_default().push(value, flags)?)
    }

    /// Returns the vector, if it is there.
    pub fn into_vec(self) -> Option<KVVec<T>> {
        self.0
    }
}

impl<T> Deref for LazyVec<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.0.as_deref().unwrap_or_default()
    }
}

impl<T> DerefMut for LazyVec<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        self.0.as_deref_mut().unwrap_or_default()
    }
}

impl<T> IntoIterator for LazyVec<T> {
    type Item = T;
    type IntoIter = core::iter::Flatten<core::option::IntoIter<KVVec<T>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter().flatten()
    }
}
