// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Vectors that mostly have no value, or one.

use core::{
    iter::{
        Chain,
        Flatten, //
    },
    mem,
    ops::{
        Deref,
        DerefMut, //
    },
    option,
    slice, //
};

use kernel::{
    alloc::Flags,
    prelude::*, //
};

/// A vector that allocates memory only for a second value.
///
/// Where lists mostly have no value or one, allocating and freeing a [`KVVec`] costs more than the
/// rest, and even dropping an empty one calls the allocator.
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
/// assert_eq!(&numbers[..], &[1]);
/// numbers.push(2, GFP_KERNEL)?;
/// assert_eq!(&numbers[..], &[1, 2]);
/// assert_eq!(numbers.into_iter().sum::<i32>(), 3);
/// # Ok::<(), Error>(())
/// ```
pub struct LazyVec<T>(Values<T>);

enum Values<T> {
    None,
    One(T),
    /// There is memory for two or more.
    Many(KVVec<T>),
}

impl<T> LazyVec<T> {
    /// Returns an empty one.
    pub const fn new() -> Self {
        Self(Values::None)
    }

    /// Returns an empty one with room for `capacity` values.
    pub fn with_capacity(capacity: usize, flags: Flags) -> Result<Self> {
        Ok(Self(match capacity {
            0 | 1 => Values::None,
            _ => Values::Many(KVVec::with_capacity(capacity, flags)?),
        }))
    }

    /// Returns one with some values.
    pub fn collect(mut values: impl ExactSizeIterator<Item = T>, flags: Flags) -> Result<Self> {
        Ok(Self(match values.len() {
            0 => Values::None,
            1 => values.next().map_or(Values::None, Values::One),
            count => {
                let mut vec = KVVec::with_capacity(count, flags)?;
                for value in values {
                    vec.push_within_capacity(value).map_err(|_| ENOMEM)?;
                }
                Values::Many(vec)
            }
        }))
    }

    /// Returns one with `count` copies of a value.
    pub fn from_elem(value: T, count: usize, flags: Flags) -> Result<Self>
    where
        T: Clone,
    {
        Ok(Self(match count {
            0 => Values::None,
            1 => Values::One(value),
            _ => Values::Many(KVVec::from_elem(value, count, flags)?),
        }))
    }

    /// Appends a value. Nothing changes if this fails.
    pub fn push(&mut self, value: T, flags: Flags) -> Result {
        match &mut self.0 {
            Values::None => self.0 = Values::One(value),
            Values::One(_) => {
                let mut vec = KVVec::with_capacity(2, flags)?;
                if let Values::One(first) = mem::replace(&mut self.0, Values::None) {
                    vec.push(first, flags)?;
                }
                vec.push(value, flags)?;
                self.0 = Values::Many(vec);
            }
            Values::Many(vec) => vec.push(value, flags)?,
        }
        Ok(())
    }

    /// Returns the vector that has the values, if there may be more than one.
    pub fn as_many_mut(&mut self) -> Option<&mut KVVec<T>> {
        match &mut self.0 {
            Values::None | Values::One(_) => None,
            Values::Many(vec) => Some(vec),
        }
    }
}

impl<T> Deref for LazyVec<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        match &self.0 {
            Values::None => &[],
            Values::One(value) => slice::from_ref(value),
            Values::Many(vec) => vec,
        }
    }
}

impl<T> DerefMut for LazyVec<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        match &mut self.0 {
            Values::None => &mut [],
            Values::One(value) => slice::from_mut(value),
            Values::Many(vec) => vec,
        }
    }
}

impl<T> IntoIterator for LazyVec<T> {
    type Item = T;
    type IntoIter = Chain<option::IntoIter<T>, Flatten<option::IntoIter<KVVec<T>>>>;

    fn into_iter(self) -> Self::IntoIter {
        let (one, many) = match self.0 {
            Values::None => (None, None),
            Values::One(value) => (Some(value), None),
            Values::Many(vec) => (None, Some(vec)),
        };

        Iterator::chain(one.into_iter(), many.into_iter().flatten())
    }
}
