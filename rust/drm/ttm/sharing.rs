// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The driver's part in sharing buffer objects with other devices.
//!
//! C header: [`include/linux/dma-buf.h`](srctree/include/linux/dma-buf.h)

use kernel::prelude::*;

use super::{
    Bo,
    Driver,
    OperationCtx,
    PeerAccess,
    Reserved, //
};

/// The callbacks of dma-buf.
pub trait Sharing: Driver {
    /// The BAR behind which [`Driver::io_mem_run()`] finds what other devices may access, if they
    /// may. See [`init_peer_to_peer()`](crate::rust::pci::init_peer_to_peer).
    const PEER_BAR: Option<u32> = None;

    /// Whether an importer with this access can share a BO, in each of the BO's places. An error,
    /// such as `EOPNOTSUPP`, refuses it.
    fn may_share(_bo: &Bo<Self::Bo>, _access: PeerAccess) -> Result {
        Ok(())
    }

    /// Validates a BO to where an importer with this access reaches it. Its move may be under way
    /// when this returns.
    fn prepare_share(
        _bo: &mut Reserved<'_, Self::Bo>,
        _access: PeerAccess,
        _ctx: &mut OperationCtx,
    ) -> Result {
        Err(EOPNOTSUPP)
    }

    /// The memory of an imported BO, which no job uses, goes away: the device must not see it any
    /// more when this returns. May be called when memory is reclaimed, and for a device that is
    /// gone.
    fn invalidate_import(_bo: &mut Reserved<'_, Self::Bo>) {}
}
