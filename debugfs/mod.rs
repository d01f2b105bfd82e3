// SPDX-License-Identifier: GPL-2.0

//! The files in the device's debugfs directory.
//!
//! Each but `rings` and those of TTM's, which are for people, has one line per object, of `key=value`
//! pairs between single spaces. Keys may be added; existing keys keep their names and meaning.
//! `docs/observability.md` explains them.

mod bad_pages;
mod bos;
mod contexts;
mod engines;
mod managers;
mod moved;
mod page_pool;
mod page_tables;
mod regions;
mod rings;

use kernel::drm::UnregisteredDevice;

use crate::{
    device::RgtDriver,
    rust::drm::debugfs::add, //
};

/// Adds all files to a device.
pub(crate) fn add_files(dev: &UnregisteredDevice<RgtDriver>) {
    add::<bad_pages::BadPages>(dev);
    add::<bos::Bos>(dev);
    add::<contexts::Contexts>(dev);
    add::<engines::Engines>(dev);
    add::<managers::Gtt>(dev);
    add::<managers::Vram>(dev);
    if dev.managers.scratchpad.is_some() {
        add::<managers::Scratchpad>(dev);
    }
    add::<moved::Moved>(dev);
    add::<page_pool::PagePool>(dev);
    add::<page_tables::PageTables>(dev);
    add::<regions::Regions>(dev);
    add::<rings::Rings>(dev);
}
