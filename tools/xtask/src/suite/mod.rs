// SPDX-License-Identifier: GPL-2.0

//! The test suites.

pub(crate) mod cargo;
mod choice;
pub(crate) mod guest;
pub(crate) mod kunit;

pub(crate) use self::choice::Choice;
pub(crate) use self::guest::is_kernels_own;
