// SPDX-License-Identifier: GPL-2.0

//! The managers of the GPU's memory types.

mod gtt;
mod vram;

pub(crate) use self::{
    gtt::Gtt,
    vram::{
        for_each_part,
        Extent,
        Vram, //
    }, //
};
