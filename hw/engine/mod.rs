// SPDX-License-Identifier: GPL-2.0

//! Engines, which run jobs in the order of submission.
//!
//! A job is a sequence of packets in the engine's ring, the last of which write a time stamp and
//! the job's sequence number to the engine's [status page](crate::fence::StatusPage) and raise its
//! interrupt. The job's fence signals then.

mod commands;
mod hw_engine;
mod name;
mod packet;
mod print;
mod recovery;
mod ring;
mod shared;
mod submit;
mod watchdog;

pub(crate) use self::{
    commands::{
        Commands,
        Ib,
        CREDITS,
        MAX_IBS,
        MAX_PACKET_DWORDS, //
    },
    hw_engine::Engine,
    packet::PacketBuffer,
    shared::VramGeneration, //
};
pub(super) use self::{
    recovery::RecoveryAction,
    shared::Shared, //
};
