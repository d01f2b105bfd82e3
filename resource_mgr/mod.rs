// SPDX-License-Identifier: GPL-2.0

//! The managers of the GPU's memory types.

mod gtt;
mod names;
mod vram;

pub(crate) use self::{
    gtt::Gtt,
    names::{
        region_name,
        REGIONS, //
    },
    vram::{
        for_each_part,
        Extent,
        Vram, //
    }, //
};
