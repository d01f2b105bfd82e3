// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Locks.

mod rwsem;

pub(crate) use self::rwsem::{
    ReadGuard,
    RwSemaphore,
    WriteGuard, //
};
