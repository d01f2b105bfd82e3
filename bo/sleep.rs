// SPDX-License-Identifier: GPL-2.0

//! Eviction from device-local memory before a suspend, of the system or of the device alone, in which
//! that loses its content.

use kernel::{
    io::poll::read_poll_timeout,
    prelude::*,
    time::Delta, //
};

use super::{
    evict::evict_placement,
    stats::MoveReason, //
};
use crate::{
    device::RgtDevice,
    resource_mgr::{
        region_name,
        SCRATCHPAD, //
    },
    rust::{
        drm::ttm::{
            MemType,
            OperationCtx,
            Placement, //
        },
        mm::available_ram,
        pm::runtime::Suspending, //
    }, //
};

/// The memory types that are lost.
const LOST: [MemType; 2] = [MemType::VRAM, SCRATCHPAD];

/// Interval at which memory is looked at until it is empty.
const POLL_INTERVAL: Delta = Delta::from_millis(1);
/// Time until then: several jobs that time out, and moves behind them.
const PATIENCE: Delta = Delta::from_secs(60);
/// Looks in a row with no move under way after which an unused device is given up: what is still there
/// is reserved, for short, or used by others.
const UNUSED_LOOKS: u32 = 100;

/// Evicts what is in device-local memory now, while clients go on: at best, little is left for
/// [`empty_local_memory`], and system pages can be swapped out to wherever that needs user space.
///
/// `ERESTARTSYS` when a signal came, `ENOMEM` when system memory does not suffice. Does not wait for
/// the moves.
pub(crate) fn evict_local_memory(dev: &RgtDevice) -> Result {
    // One that sleeps has nothing there, and one that is about to will not.
    let Some(_awake) = dev.power.get_if_active() else {
        return Ok(());
    };
    LOST.into_iter()
        .try_for_each(|mem_type| evict(dev, mem_type, &|| Ok(())))
}

/// Evicts all BOs from device-local memory, and waits until it is empty. No client may bring
/// another one there meanwhile.
///
/// `ERESTARTSYS` when a signal came, `ENOMEM` when system memory does not suffice, `EBUSY` if a BO
/// does not leave: it is pinned, or a job that uses it does not end.
pub(crate) fn empty_local_memory(dev: &RgtDevice) -> Result {
    for mem_type in LOST {
        match empty(dev, mem_type, u32::MAX, &|| Ok(())) {
            Ok(()) => {}
            Err(ETIMEDOUT) => {
                dev_err!(
                    dev.as_ref(),
                    "no sleep: {} bytes in {} are pinned, or jobs that use it do not end\n",
                    used(dev, mem_type),
                    region_name(mem_type)
                );
                return Err(EBUSY);
            }
            Err(err) => return Err(err),
        }
    }
    Ok(())
}

/// Evicts all BOs from the device-local memory of a device that is being suspended, and waits until it
/// is empty. None is moved there meanwhile, as a move takes a runtime PM reference.
///
/// Gives up as soon as the device is wanted (`EAGAIN`). `ETIMEDOUT` if a BO does not leave: it is
/// reserved, or others use it. `ENOMEM` when that would take more than half of the memory that is
/// available: a sleeping device is no reason to swap, or to kill anybody.
pub(crate) fn empty_unused_memory(dev: &RgtDevice, suspending: &Suspending<'_>) -> Result {
    let used: u64 = LOST.into_iter().map(|mem_type| used(dev, mem_type)).sum();
    if used > available_ram() / 2 {
        return Err(ENOMEM);
    }
    let go_on = || match suspending.is_wanted() {
        true => Err(EAGAIN),
        false => Ok(()),
    };
    LOST.into_iter()
        .try_for_each(|mem_type| empty(dev, mem_type, UNUSED_LOOKS, &go_on))
}

/// Evicts all BOs from a memory type, and waits until it is empty, as long as `go_on` does not fail.
/// Gives up with `ETIMEDOUT` after `looks` in a row with no move under way.
fn empty(dev: &RgtDevice, mem_type: MemType, looks: u32, go_on: &dyn Fn() -> Result) -> Result {
    if dev.managers.size(mem_type) == 0 {
        return Ok(());
    }
    let mut left = looks;
    read_poll_timeout(
        || {
            if current!().signal_pending() {
                return Err(ERESTARTSYS);
            }
            evict(dev, mem_type, go_on)?;
            if dev.ttm().is_evicting(mem_type)? {
                left = looks;
                return Ok(false);
            }
            left -= 1;
            match used(dev, mem_type) {
                0 => Ok(true),
                _ if left == 0 => Err(ETIMEDOUT),
                _ => Ok(false),
            }
        },
        |empty| *empty,
        POLL_INTERVAL,
        PATIENCE, //
    )
    .map(drop)
}

fn used(dev: &RgtDevice, mem_type: MemType) -> u64 {
    dev.managers.size(mem_type) - dev.managers.free(mem_type)
}

/// Evicts as much as is in use of a memory type: what comes there meanwhile would make it endless.
///
/// BOs that are reserved by others stay, and so do those that jobs use. A move that is pipelined behind
/// a job which may not end before tasks are thawed would block the moves of all clients; one behind
/// another move does not.
fn evict(dev: &RgtDevice, mem_type: MemType, go_on: &dyn Fn() -> Result) -> Result {
    let mut left = used(dev, mem_type);
    go_on()?;
    if left == 0 {
        return Ok(());
    }
    pin_init::stack_pin_init!(
        let walk = dev.ttm().walk_lru(mem_type, OperationCtx::new(true))?
    );

    while left != 0 {
        let Some(mut at) = walk.as_mut().next() else {
            break;
        };
        go_on()?;
        if at.bo.locked_resv().has_users() {
            continue;
        }
        let _moving = at.bo.bo().record.moving(MoveReason::Evict);
        let places = evict_placement(&at.bo);
        left = left.saturating_sub(at.bo.size() as u64);
        at.bo.validate(&Placement::new(places), at.ctx)?;
    }
    Ok(())
}
