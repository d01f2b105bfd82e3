// SPDX-License-Identifier: GPL-2.0

//! Ioctls that the uAPI defines and this version of the driver does not implement.

use kernel::prelude::*;

use super::{
    Device,
    File, //
};
use crate::hw::Gpu;

/// Fails with `EOPNOTSUPP`.
pub(crate) fn unimplemented<A>(_: &Device, _: &Gpu, _: &mut A, _: &File) -> Result<u32> {
    Err(EOPNOTSUPP)
}
