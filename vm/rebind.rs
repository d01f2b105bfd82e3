// SPDX-License-Identifier: GPL-2.0

//! Rebinding: bringing what was evicted back, and into the page tables, before a job runs.

use core::ptr;

use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            AtomicFlag,
            Relaxed, //
        },
        Arc, //
    }, //
};

use super::{
    backing::BoBacking,
    cleanup::QueuedCleanup,
    data::{
        Vm,
        VmData,
        VA_RANGE, //
    },
    displaced,
    update::{
        Change,
        Update, //
    },
    user::{
        PagesSeen,
        Unwritten, //
    }, //
};
use crate::{
    bo::{
        use_in_place,
        validate_all,
        Bo,
        Effort,
        Reserved, //
    },
    device::RgtDevice,
    fence::Dependencies,
    hw::Tables,
    rust::{
        alloc::LazyVec,
        dma_fence::Fence,
        dma_resv::Usage,
        drm::{
            exec::{
                Exec,
                ExecLocks, //
            },
            gpuvm::VmBo,
            ttm::OperationCtx, //
        },
        pm::runtime::Awake, //
    }, //
};

/// The BOs of a VM that were evicted, and are validated again, and the memory of processes that has
/// changed, and is fetched again.
pub(crate) struct Rebind {
    bos: KVVec<(VmBo<VmData>, BoBacking, Tables)>,
    user: LazyVec<Unwritten>,
    moves: Dependencies,
}

/// Locks all that is bound in a VM and the BOs that a job names, and validates what was evicted or is
/// not where it is best. Returns what has to be mapped again, [`None`] if nothing has, and what was
/// seen of memory of processes.
///
/// `locks` hold the VM's reservation, and ignore duplicates. The errors are those of
/// [`validate_all()`], and `EIO` when the content of a BO that is bound is lost.
pub(crate) fn validate_bound<'a>(
    dev: &RgtDevice,
    vm: &Vm,
    locks: &mut ExecLocks<'_>,
    named: impl Iterator<Item = &'a Bo> + Clone,
    effort: Effort,
    ctx: &mut OperationCtx,
) -> Result<(Option<KBox<Rebind>>, PagesSeen)> {
    let rebind = validate_bos(dev, vm, locks, named, effort, ctx)?;
    let (user, seen) = vm.user.unwritten(&vm.space)?;

    Ok((Rebind::with_user(rebind, user)?, seen))
}

/// Does so for BOs.
fn validate_bos<'a>(
    dev: &RgtDevice,
    vm: &Vm,
    locks: &mut ExecLocks<'_>,
    named: impl Iterator<Item = &'a Bo> + Clone,
    effort: Effort,
    ctx: &mut OperationCtx,
) -> Result<Option<KBox<Rebind>>> {
    check_lost(vm)?;
    vm.lock_extobjs(locks)?;
    for bo in named.clone() {
        locks.lock(bo.as_gem())?;
    }
    let private = vm.private_bos()?;
    private.used(dev, &locks.locked_resv(vm.resv())?)?;
    // As most are.
    if effort == Effort::Shared && named.clone().next().is_none() && vm.is_settled(locks)? {
        return Ok(None);
    }
    let mut evicted = vm.evicted(locks)?;
    let displaced = displaced::candidates(dev, vm, &private, locks)?;

    let bound = match effort {
        Effort::Shared => None,
        // All that is bound may make room for the rest.
        Effort::Alone => Some(vm.mapped_in(&VA_RANGE)?),
    };
    let bound = bound.as_deref().unwrap_or(&evicted);
    let candidates = Iterator::chain(bound.iter(), displaced.iter());
    if validate_unplaced(locks, named, candidates.map(VmBo::bo), effort, ctx)? {
        displaced::forget_settled(locks, &displaced)?;
        // Those that were moved are evicted now.
        vm.lock_extobjs(locks)?;
        evicted = vm.evicted(locks)?;
    }
    Rebind::of_bos(vm, locks, &evicted)
}

/// Validates the BOs that a job names and are not where they are best, and those of `bound` that can
/// be used. Returns whether there are any.
fn validate_unplaced<'a, 'n: 'a>(
    locks: &mut ExecLocks<'_>,
    named: impl Iterator<Item = &'n Bo>,
    bound: impl Iterator<Item = &'a Bo>,
    effort: Effort,
    ctx: &mut OperationCtx,
) -> Result<bool> {
    let mut bos = LazyVec::<&'a Bo>::new();

    for bo in named {
        // Not once more for the use that the bind was for.
        if bo.placed_by_bind.load(Relaxed) {
            bo.placed_by_bind.store(false, Relaxed);
        } else if effort == Effort::Alone || !use_in_place(&mut Reserved::of_exec(locks, bo)?)? {
            bos.push(bo, GFP_KERNEL)?;
        }
    }
    for bo in bound {
        if bo.advice.is_usable() {
            bos.push(bo, GFP_KERNEL)?;
        }
    }
    if bos.is_empty() {
        return Ok(false);
    }
    if let Some(bos) = bos.as_many_mut() {
        keep_one_each(bos, |&bo| bo);
    }
    validate_all(locks, bos.iter().copied(), effort, ctx)?;
    Ok(true)
}

/// Returns the page tables that mapping a BO anew takes at most: for the mappings that it has, and for
/// those that queued binds give it until then.
fn rebind_tables(vm: &Vm, vm_bo: &VmBo<VmData>, backing: &BoBacking) -> Result<Tables> {
    let mut tables = vm.space.tables();

    // First, as a bind that is done meanwhile may be missed after.
    if let Some(queued) = vm.leaves.range() {
        tables.add_for_pages(&queued)?;
    }
    for (va, offset) in vm.mappings_of(vm_bo)? {
        tables.add_for_segments(backing.segments(va, offset))?;
    }
    Ok(tables)
}

/// Removes what refers to the same thing as another.
pub(super) fn keep_one_each<T, K>(items: &mut KVVec<T>, referred: impl Fn(&T) -> &K) {
    let mut last = ptr::null();

    items.sort_unstable_by_key(|item| ptr::from_ref(referred(item)));
    items.retain(|item| {
        let before = last;
        last = ptr::from_ref(referred(item));
        last != before
    });
}

/// Checks that no BO that is mapped has lost its content: `EIO`.
fn check_lost(vm: &Vm) -> Result {
    if !vm.lost.load(Relaxed) {
        return Ok(());
    }
    // It may have been unmapped.
    vm.lost.store(false, Relaxed);
    vm.lock()
        .for_each(|mapping| match mapping.bo() {
            Some(bo) if bo.lost.load(Relaxed) => Err(EIO),
            _ => Ok(()),
        })
        .inspect_err(|_| vm.lost.store(true, Relaxed))
}

/// Returns the flags that tell, when a job of the VM runs, whether a BO that is bound has lost its
/// content on its way.
pub(crate) fn lost_flags(vm: &Vm) -> Result<LazyVec<Arc<AtomicFlag>>> {
    vm.arrivals.lock().flags()
}

impl Rebind {
    /// Makes one of BOs. It is boxed, as most jobs have none and pass that on.
    fn new(
        bos: KVVec<(VmBo<VmData>, BoBacking, Tables)>,
        moves: Dependencies,
    ) -> Result<KBox<Self>> {
        let this = Self {
            bos,
            user: LazyVec::new(),
            moves,
        };
        Ok(KBox::new(this, GFP_KERNEL_ACCOUNT)?)
    }

    /// Returns the rebind of the BOs that can be used, each of which comes up once; the others stay
    /// evicted. [`None`] if there are none.
    ///
    /// `locks` hold the VM's reservation and those of the BOs, which are where they stay.
    pub(super) fn of_bos(
        vm: &Vm,
        locks: &mut ExecLocks<'_>,
        vm_bos: &[VmBo<VmData>],
    ) -> Result<Option<KBox<Self>>> {
        let mut bos = KVVec::new();
        let mut moves = Dependencies::new();

        for vm_bo in vm_bos {
            if !vm_bo.bo().advice.is_usable() {
                continue;
            }
            let size = vm_bo.bo().size() as u64;
            let mut bo = Reserved::of_exec(locks, vm_bo.bo())?;
            let backing = BoBacking::new(vm, &mut bo, 0..size, &mut moves)?;
            let tables = rebind_tables(vm, vm_bo, &backing)?;
            bos.push((vm_bo.clone(), backing, tables), GFP_KERNEL_ACCOUNT)?;
        }
        if bos.is_empty() {
            return Ok(None);
        }
        Self::new(bos, moves).map(Some)
    }

    /// Has the BOs stay where they are: later jobs do not bring those to their best place that are
    /// elsewhere.
    pub(super) fn stay(&mut self) {
        for (_, backing, _) in self.bos.iter_mut() {
            backing.is_displaced = false;
        }
    }

    /// Returns a rebind of `user`, too.
    pub(super) fn with_user(
        this: Option<KBox<Self>>,
        user: LazyVec<Unwritten>,
    ) -> Result<Option<KBox<Self>>> {
        if user.is_empty() {
            return Ok(this);
        }
        let mut this = match this {
            Some(this) => this,
            None => Self::new(KVVec::new(), Dependencies::new())?,
        };
        this.user = user;
        Ok(Some(this))
    }

    /// Submits the job that writes the page-table entries behind the moves, and returns its fence,
    /// which is on the reservations of the VM and of the BOs.
    ///
    /// `exec` must have held all locks since this was made.
    pub(crate) fn submit(
        self: KBox<Self>,
        vm: &Vm,
        exec: &Exec,
        awake: Awake,
    ) -> Result<ARef<Fence>> {
        let Self { bos, user, moves } = KBox::into_inner(self);
        let open = vm.open()?;
        let [vm_slot] = exec.locked_resv(vm.resv())?.reserve_fences()?;
        let mut bo_slots = KVVec::with_capacity(bos.len(), GFP_KERNEL_ACCOUNT)?;
        let mut vm_bos = KVVec::with_capacity(bos.len(), GFP_KERNEL_ACCOUNT)?;
        let count = bos.len() + user.len();
        let mut changes = KVVec::with_capacity(count, GFP_KERNEL_ACCOUNT)?;
        let mut ranges = LazyVec::new();
        let mut lost = KVVec::new();

        for (vm_bo, backing, tables) in bos {
            if vm_bo.bo().private.is_none() {
                let [slot] = exec.resv_of(vm_bo.bo().as_gem())?.reserve_fences()?;
                bo_slots.push(slot, GFP_KERNEL_ACCOUNT)?;
            }
            if backing.is_moving {
                lost.push(backing.lost.clone(), GFP_KERNEL_ACCOUNT)?;
            }
            vm_bos.push((vm_bo.clone(), backing.is_displaced), GFP_KERNEL_ACCOUNT)?;
            changes.push(
                Change::Rebind {
                    tables,
                    vm_bo,
                    backing,
                },
                GFP_KERNEL_ACCOUNT,
            )?;
        }
        for unwritten in user {
            let Unwritten {
                range,
                tables,
                revoked,
            } = unwritten;
            ranges.push((range.clone(), revoked), GFP_KERNEL_ACCOUNT)?;
            changes.push(Change::RebindUser { tables, range }, GFP_KERNEL_ACCOUNT)?;
        }
        let mut arrivals = vm.arrivals.lock();
        arrivals.reserve(lost.len())?;
        let mut pending = vm.pending_binds.lock();
        pending.reserve()?;

        let update = KBox::new(
            Update {
                changes,
                cleanup: QueuedCleanup(open.cleanup.clone()),
            },
            GFP_KERNEL_ACCOUNT,
        )?;
        let mut job = open.rebind_queue.entity.job(update, awake)?;
        moves.add_to(&mut job)?;
        // This writes the entries of what they map.
        vm.unusable_binds.lock().add_to(&mut job)?;
        for (vm_bo, is_displaced) in &vm_bos {
            vm_bo.set_validated(exec)?;
            if *is_displaced {
                vm_bo.set_displaced(exec)?;
            }
        }
        for (range, revoked) in ranges.iter() {
            range.set_rebound(*revoked);
        }

        let fence = job.submit(|fence| {
            vm_slot.add(fence, Usage::Bookkeep);
            for slot in bo_slots {
                slot.add(fence, Usage::Bookkeep);
            }
        });
        // All later jobs of the VM wait for it.
        pending.add(&fence);
        for lost in &lost {
            arrivals.add(&fence, lost);
        }
        Ok(fence)
    }
}
