// SPDX-License-Identifier: GPL-2.0

//! Retiring pages of VRAM that went bad.
//!
//! A bad page is never allocated again. The BO that has it has lost its content: jobs that name it
//! fail with `EIO`, accesses of the CPU with `SIGBUS`, and a job that reads it all the same faults.
//! Its VRAM is freed at once, unless it is shared or pinned.

use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        atomic::Relaxed, //
    }, //
};

use super::{
    mappings::invalidate_mappings,
    object::{
        Bo,
        Reserved, //
    }, //
};
use crate::{
    device::RgtDevice,
    hw::BadPageHandler,
    resource_mgr::Vram,
    rust::drm::{
        fdinfo::is_shared,
        ttm::OperationCtx, //
    },
};

/// Retires the bad pages of a device.
pub(crate) struct Retirement(ARef<RgtDevice>);

impl Retirement {
    /// Returns the retirement of a device's pages.
    pub(crate) fn new(dev: &RgtDevice) -> Self {
        Self(dev.into())
    }

    fn retire(&self, offset: u64) -> Result {
        let dev = &self.0;
        let vram = dev.managers.vram.inner();

        // The device reports it again after each reset.
        if vram.bad_pages()?.iter().any(|(known, _)| *known == offset) {
            return Ok(());
        }
        if !vram.retire(offset)? {
            dev_err!(
                dev.as_ref(),
                "the page at {:#x} in VRAM is bad: it is free\n",
                offset
            );
            return Ok(());
        }
        dev_err!(dev.as_ref(), "the page at {:#x} in VRAM is bad\n", offset);
        dev.ttm().for_each_bo(|bo| lose(bo, offset))
    }
}

impl BadPageHandler for Retirement {
    fn handle(&self, offset: u64) {
        if let Err(err) = self.retire(offset) {
            dev_err!(
                self.0.as_ref(),
                "the bad page at {:#x} in VRAM cannot be retired: {}\n",
                offset,
                err.to_errno()
            );
        }
    }
}

/// Declares a BO's content lost if it has a bad page.
fn lose(bo: &Bo, offset: u64) -> Result {
    let mut guard = bo.reserve(false)?;
    let mut bo = guard.reserved();
    if !bo
        .resource()
        .and_then(|res| res.of_manager::<Vram>())
        .is_some_and(|(_, vram)| vram.has_page(offset))
    {
        return Ok(());
    }

    bo.lost.store(true, Relaxed);
    bo.unmap_cpu();
    dev_err!(
        bo.device().as_ref(),
        "BO {} of client {}, process {}, has lost its content: it was in the page at {:#x}\n",
        bo.record.id(),
        bo.record.client(),
        bo.record.pid(),
        offset
    );
    if bo.pin_count() == 0 && !is_shared(bo.as_gem()) {
        // If not, it keeps the page until it is moved or freed.
        let _ = give_back(&mut bo);
    }
    Ok(())
}

fn give_back(bo: &mut Reserved<'_>) -> Result {
    let mut ctx = OperationCtx::new(false);

    bo.wait_idle(&mut ctx)?;
    invalidate_mappings(bo);
    bo.purge(&mut ctx)
}
