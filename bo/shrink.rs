// SPDX-License-Identifier: GPL-2.0

//! The shrinker: system pages are given back under memory pressure.
//!
//! BOs whose content is not needed go first. Then the pages of idle BOs are copied to shmem, least
//! recently used first, and come back when the BO is used: pages that the kernel can swap out for
//! pages that it cannot.

use core::ops::ControlFlow;

use kernel::{
    page::PAGE_SHIFT,
    prelude::*,
    sync::aref::ARef, //
};

use super::{
    advice::Advice,
    madvise::purge,
    stats::MoveReason, //
};
use crate::{
    device::{
        RgtDevice,
        RgtDriver, //
    },
    rust::{
        drm::ttm::{
            backup,
            LruBo,
            MemType,
            OperationCtx, //
        },
        module::DropGuarantee,
        shrinker::{
            self,
            Count,
            Scan,
            ShrinkControl, //
        }, //
    }, //
};

/// The types of memory that are made of pages. GTT comes last: it costs page-table updates.
const TYPES: [MemType; 2] = [MemType::SYSTEM, MemType::TT];

/// The shrinker of a device.
///
/// It takes the locks that [`GpuMappings::unmap()`](super::GpuMappings::unmap) takes, so
/// that nothing may allocate with one of them held. It only tries to lock reservations.
pub(crate) struct Shrinker(ARef<RgtDevice>);

/// A pass over the BOs; each goes further than the one before.
#[derive(Clone, Copy)]
enum Pass {
    /// Frees BOs whose content is not needed.
    Purge,
    /// Backs up idle BOs.
    BackUp,
    /// Waits for jobs, and writes the pages that it backs up to swap.
    WriteBack,
}

/// The progress so far, in pages.
#[derive(Default)]
struct Progress {
    wanted: usize,
    scanned: usize,
    freed: usize,
}

impl Shrinker {
    /// Registers the shrinker of a device. Its BOs stay where they are once this is dropped.
    pub(crate) fn register(
        dev: &RgtDevice,
        guarantee: DropGuarantee,
    ) -> Result<shrinker::Registration<Self>> {
        shrinker::Registration::new(guarantee, c"drm-rust_gpu_ttm", Self(dev.into()))
    }

    /// Walks over all BOs that have pages until as many are freed as wanted.
    fn walk(&self, pass: Pass, progress: &mut Progress) -> ControlFlow<()> {
        let wait = matches!(pass, Pass::WriteBack);

        for mem_type in TYPES {
            let ctx = if wait {
                OperationCtx::new(false)
            } else {
                OperationCtx::no_wait()
            };
            let Ok(walk) = self.0.ttm().walk_lru(mem_type, ctx) else {
                continue;
            };
            pin_init::stack_pin_init!(let walk = walk);
            while let Some(found) = walk.as_mut().next() {
                if progress.is_enough() {
                    return ControlFlow::Break(());
                }
                visit(found, pass, progress);
            }
        }
        if progress.is_enough() {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    fn purge_and_back_up(
        &self,
        control: &ShrinkControl,
        progress: &mut Progress,
    ) -> ControlFlow<()> {
        if self.0.ttm().purgeable_pages() != 0 {
            self.walk(Pass::Purge, progress)?;
        }
        // Backing up takes locks of pages.
        if !control.may_enter_fs() {
            return ControlFlow::Break(());
        }
        self.walk(Pass::BackUp, progress)?;
        if !backup::avoid_wait() && control.may_start_io() {
            self.walk(Pass::WriteBack, progress)?;
        }
        ControlFlow::Continue(())
    }
}

impl Progress {
    fn is_enough(&self) -> bool {
        self.scanned >= self.wanted
    }
}

/// Shrinks one BO if the pass wants it.
fn visit(found: LruBo<'_, RgtDriver>, pass: Pass, progress: &mut Progress) {
    let LruBo { mut bo, ctx } = found;
    if !bo.is_shrinkable(ctx) {
        return;
    }
    let pages = bo.size() >> PAGE_SHIFT;

    let _moving = bo.bo().record.moving(MoveReason::Shrink);
    let freed = match (pass, bo.advice.get()) {
        (_, Advice::DontNeed) => purge(&mut bo, ctx).map(|()| pages),
        (Pass::Purge, _) => return,
        (Pass::BackUp, _) => bo.back_up(ctx, false),
        (Pass::WriteBack, _) => bo.back_up(ctx, true),
    };
    progress.scanned += pages;
    progress.freed += freed.unwrap_or(0);
}

impl shrinker::Shrinker for Shrinker {
    fn count(&self, control: &ShrinkControl) -> Count {
        let ttm = self.0.ttm();
        let purgeable = ttm.purgeable_pages();
        let rest = if ttm.uses_dma_alloc() || !control.may_enter_fs() {
            0
        } else {
            ttm.populated_pages().saturating_sub(purgeable)
        };
        match purgeable + rest.min(backup::room()) {
            0 => Count::Empty,
            pages => Count::Objects(pages as usize),
        }
    }

    fn scan(&self, control: &mut ShrinkControl) -> Scan {
        let mut progress = Progress {
            wanted: control.to_scan(),
            ..Progress::default()
        };
        let _ = self.purge_and_back_up(control, &mut progress);
        control.set_scanned(progress.scanned);
        if progress.scanned == 0 {
            return Scan::Stop;
        }
        Scan::Freed(progress.freed)
    }
}
