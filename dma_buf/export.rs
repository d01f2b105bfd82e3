// SPDX-License-Identifier: GPL-2.0

//! BOs that other devices use.

use kernel::prelude::*;

use crate::{
    bo::{
        can_be_reached,
        validate,
        Bo,
        Reserved, //
    },
    placement::User,
    rust::drm::ttm::{
        OperationCtx,
        Reach, //
    }, //
};

fn user(reach: Reach) -> User {
    match reach {
        Reach::Pages => User::Other,
        Reach::Peer => User::Peer,
    }
}

/// `EOPNOTSUPP` if the BO may be in no place where a device reaches it.
pub(crate) fn may_share(bo: &Bo, reach: Reach) -> Result {
    if !can_be_reached(bo, user(reach)) {
        return Err(EOPNOTSUPP);
    }
    Ok(())
}

/// Brings a BO to where a device reaches it.
pub(crate) fn prepare_share(bo: &mut Reserved<'_>, reach: Reach, ctx: &mut OperationCtx) -> Result {
    validate(bo, user(reach), ctx)
}
