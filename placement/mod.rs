// SPDX-License-Identifier: GPL-2.0

//! From the placement that user space asks for to TTM's places, and the eviction policy.

mod accessor;
mod admission;
mod eviction_policy;
mod places;
mod purpose;
mod request;
mod scan_resistant;
mod token_bucket;

pub(crate) use self::{
    accessor::Accessor,
    admission::{
        admit,
        Candidate,
        Class, //
    },
    eviction_policy::EvictionPolicy,
    places::{
        Places,
        Room, //
    },
    purpose::Purpose,
    request::{
        pages,
        Priority,
        Request, //
    },
    scan_resistant::{
        Claim,
        History,
        Recency,
        ScanResistant, //
    },
    token_bucket::TokenBucket, //
};
