// SPDX-License-Identifier: GPL-2.0

//! The managers of the GPU's memory types.

mod cursor;
mod gtt;
mod heap;
mod local;
mod managers;
mod names;
mod scratchpad;
mod usage;
mod vram;

pub(crate) use self::{
    cursor::{
        Cursor,
        Segment, //
    },
    gtt::Gtt,
    heap::Fragmentation,
    local::LocalResource,
    managers::Managers,
    names::{
        region_name,
        REGIONS, //
    },
    scratchpad::{
        Scratchpad,
        SCRATCHPAD, //
    },
    vram::Vram, //
};
