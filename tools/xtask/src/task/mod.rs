// SPDX-License-Identifier: GPL-2.0

//! One file for each target of make.

pub(crate) mod intree;
pub(crate) mod kunit;
pub(crate) mod lint;
pub(crate) mod record_versions;
pub(crate) mod run;
pub(crate) mod shell;
pub(crate) mod stress;
pub(crate) mod test;
