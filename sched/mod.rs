// SPDX-License-Identifier: GPL-2.0

//! Submission of jobs.

mod deps;
mod submit;

pub(crate) use self::deps::Dependencies;
pub(crate) use self::submit::{
    Job,
    JobBo, //
};
