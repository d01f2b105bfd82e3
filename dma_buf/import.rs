// SPDX-License-Identifier: GPL-2.0

//! Import: BOs whose memory is another device's.

use kernel::{
    prelude::*,
    sync::aref::ARef, //
};

use crate::{
    bo::{
        Bo,
        BoData, //
    },
    device::RgtDevice,
    rust::{
        dma_buf::DmaBuf,
        drm::ttm::Object, //
    }, //
};

/// Imports a buffer as a BO, or returns the BO that it was exported from.
pub(crate) fn import(dev: &RgtDevice, buf: &DmaBuf) -> Result<ARef<Object<BoData>>> {
    let bo = match Bo::of_dma_buf(dev, buf) {
        Some(bo) => bo,
        None => Bo::import(dev, buf, Ok::<_, Error>(BoData::of_import()?))?,
    };
    Ok(Bo::into_gem(bo))
}
