// SPDX-License-Identifier: GPL-2.0

//! Calls that the uAPI defines and this version of the driver does not have.

use kernel::prelude::*;

use super::{
    Device,
    File, //
};
use crate::hw::Gpu;

/// Any such call.
pub(crate) fn unimplemented<A>(_: &Device, _: &Gpu, _: &mut A, _: &File) -> Result<u32> {
    Err(EOPNOTSUPP)
}
