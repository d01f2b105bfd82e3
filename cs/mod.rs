// SPDX-License-Identifier: GPL-2.0

//! Command submission: from what CS describes to the entity of a context.
//!
//! The reservations of the VM and of the BOs are locked together, the BOs are validated, page
//! tables are brought up to date, and the job goes into its entity with its fence on all of the
//! reservations. Nothing here waits for the GPU.

mod submission;

pub(crate) use self::submission::{
    JobBo,
    Submission, //
};
