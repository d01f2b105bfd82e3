// SPDX-License-Identifier: GPL-2.0

//! The callbacks of TTM.

use kernel::{
    alloc::AllocError,
    page::PAGE_SIZE,
    prelude::*, //
};

use super::{
    account::account_move,
    evict,
    fault,
    object::{
        Bo,
        BoData,
        Reserved, //
    },
    trace,
    validate, //
};
use crate::{
    device::{
        RgtData,
        RgtDriver, //
    },
    resource_mgr::Vram,
    rust::drm::ttm::{
        self,
        Caching,
        IoRun,
        Move,
        MoveOutcome,
        OperationCtx,
        Place,
        ReleasedBo,
        Resource, //
    }, //
};

impl ttm::Driver for RgtDriver {
    type Bo = BoData;
    type DeviceData = RgtData;
    type TtData = ();

    fn caching(bo: &BoData) -> Caching {
        bo.caching
    }

    fn tt_data(_bo: &BoData) -> Result<(), AllocError> {
        Ok(())
    }

    fn evict_flags(bo: &Reserved<'_>) -> &'static [Place] {
        trace::evicted(bo);
        evict::evict_placement(bo)
    }

    fn eviction_valuable(bo: &Reserved<'_>, place: Option<&Place>) -> bool {
        evict::eviction_valuable(bo, place)
    }

    fn release_notify(bo: &ReleasedBo<'_, BoData>) {
        trace::freed(bo);
    }

    fn move_bo<'a>(mv: Move<'a, BoData>) -> Result<MoveOutcome<'a>> {
        account_move(mv)
    }

    fn io_caching(_res: &Resource) -> Caching {
        Caching::WriteCombined
    }

    fn io_mem_run(res: &Resource, page: usize) -> Option<IoRun> {
        let (manager, vram) = res.of_manager::<Vram>()?;
        let extent = vram.extent_at((page * PAGE_SIZE) as u64)?;

        manager.io_run(&extent)
    }

    fn prepare_fault(bo: &mut Reserved<'_>, ctx: &mut OperationCtx) -> Result {
        fault::prepare_fault(bo, ctx)
    }

    fn check_content(bo: &Bo) -> Result {
        validate::check_content(bo)
    }
}
