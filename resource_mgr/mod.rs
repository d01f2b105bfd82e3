// SPDX-License-Identifier: GPL-2.0

//! The managers of the GPU's memory types.

mod extent;
mod gtt;
mod heap;
mod managers;
mod names;
mod on_card;
mod scratchpad;
mod vram;

pub(crate) use self::{
    extent::{
        for_each_part,
        Extent, //
    },
    gtt::Gtt,
    heap::Fragmentation,
    managers::Managers,
    names::{
        region_name,
        REGIONS, //
    },
    on_card::OnCard,
    scratchpad::{
        Scratchpad,
        ScratchpadResource,
        SCRATCHPAD, //
    },
    vram::{
        Vram,
        VramResource, //
    }, //
};
