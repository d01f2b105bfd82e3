// SPDX-License-Identifier: GPL-2.0

//! VRAM and scratchpad alike: what engines have to clear and to copy.

use super::{
    Extent,
    Scratchpad,
    ScratchpadResource,
    Vram,
    VramResource, //
};
use crate::{
    hw::{
        Backing,
        Gpu, //
    },
    rust::{
        drm::ttm::Resource,
        gpu::buddy::Clearing, //
    }, //
};

/// What a BO has of the GPU's own memory.
#[derive(Clone, Copy)]
pub(crate) enum OnCard<'a> {
    /// VRAM.
    Vram(&'a VramResource),
    /// Scratchpad.
    Scratchpad(&'a ScratchpadResource),
}

impl<'a> OnCard<'a> {
    /// Returns what a resource is; [`None`] for one of system pages.
    pub(crate) fn of(res: &'a Resource) -> Option<Self> {
        if let Some((_, vram)) = res.of_manager::<Vram>() {
            return Some(Self::Vram(vram));
        }
        let (_, scratchpad) = res.of_manager::<Scratchpad>()?;
        Some(Self::Scratchpad(scratchpad))
    }

    /// See [`VramResource::extents()`].
    pub(crate) fn extents(self) -> &'a [Extent] {
        match self {
            Self::Vram(res) => res.extents(),
            Self::Scratchpad(res) => res.extents(),
        }
    }

    /// See [`VramResource::dirty_extents()`].
    pub(crate) fn dirty_extents(self) -> &'a [Extent] {
        match self {
            Self::Vram(res) => res.dirty_extents(),
            Self::Scratchpad(res) => res.dirty_extents(),
        }
    }

    /// See [`VramResource::clearing()`].
    pub(crate) fn clearing(self) -> Option<Clearing> {
        match self {
            Self::Vram(res) => res.clearing(),
            Self::Scratchpad(res) => res.clearing(),
        }
    }

    /// What a page table says of an extent's offset.
    pub(crate) fn backing(self, offset: u64) -> Backing {
        match self {
            Self::Vram(_) => Backing::Vram(offset),
            Self::Scratchpad(_) => Backing::Scratchpad(offset),
        }
    }

    /// Address of an extent's offset in the kernel's address space.
    pub(crate) fn va(self, gpu: &Gpu, offset: u64) -> u64 {
        match self {
            Self::Vram(_) => gpu.vram_va(offset),
            Self::Scratchpad(_) => gpu.scratchpad_va(offset),
        }
    }
}
