// SPDX-License-Identifier: GPL-2.0

//! The part of a mapping in a range of a process's memory.

use core::{
    ops::Deref,
    ptr, //
};

use kernel::sync::{
    atomic::Relaxed,
    Arc, //
};

use super::range::{
    RangeOps,
    UserRange, //
};

/// A range as a mapping of it has it. A range without any is given up.
pub(in crate::vm) struct UserMapping(Arc<UserRange>);

impl UserMapping {
    /// Adds a mapping to a range.
    pub(super) fn new(range: Arc<UserRange>) -> Self {
        range.mapped.fetch_add(1, Relaxed);
        Self(range)
    }

    /// Returns whether it is of the range with these operations.
    pub(super) fn has(&self, ops: &RangeOps) -> bool {
        self.pages().is_ok_and(|pages| ptr::eq(&**pages, ops))
    }

    /// Returns the range.
    pub(super) fn range(&self) -> &Arc<UserRange> {
        &self.0
    }

    /// Returns whether it is of `range`.
    pub(in crate::vm) fn is_of(&self, range: &UserRange) -> bool {
        ptr::eq(&*self.0, range)
    }
}

impl Clone for UserMapping {
    fn clone(&self) -> Self {
        Self::new(self.0.clone())
    }
}

impl Deref for UserMapping {
    type Target = UserRange;

    fn deref(&self) -> &UserRange {
        &self.0
    }
}

impl Drop for UserMapping {
    fn drop(&mut self) {
        self.0.mapped.fetch_sub(1, Relaxed);
    }
}
