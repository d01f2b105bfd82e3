// SPDX-License-Identifier: GPL-2.0

//! Ioctls that the uAPI defines and this version of the driver does not implement.

use core::any::type_name;

use kernel::prelude::*;

use super::{
    call::Call,
    Device,
    File, //
};
use crate::hw::Gpu;

/// Fails with `EOPNOTSUPP`.
pub(crate) fn unimplemented<A>(dev: &Device, _: &Gpu, _: &mut A, _: &File) -> Result<u32> {
    // The path of the argument's type ends with its name in the uAPI.
    let name = type_name::<A>().rsplit(':').next().unwrap_or_default();

    Err(Call::new(dev, name).refuse(EOPNOTSUPP, fmt!("not in this version")))
}
